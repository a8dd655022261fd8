//! The datagrams with which [`crate::echo`], [`crate::ping`] and [`crate::mtu`] look at the way
//! from one node to another: a request of any size, and a short answer.

/// What an IPv4 header without options and a UDP header take of a packet, bytes.
pub const HEADERS: u32 = 28;
/// Smallest packet that a request can be, bytes: also the smallest that IPv4 must always carry.
pub const SMALLEST_PACKET: u32 = 68;

const REQUEST: [u8; 4] = *b"pcl?";
const ANSWER: [u8; 4] = *b"pcl!";
const ANSWER_BYTES: usize = 20;

/// What the other node said of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The request's number.
    pub number: u32,
    /// Size of the request's packet as it arrived, bytes, headers included.
    pub packet_bytes: u32,
    /// From the arrival of the request, by the kernel's stamp, to the sending of this.
    pub held_ns: u64,
}

/// A request that makes a packet of so many bytes, [`SMALLEST_PACKET`] at least.
pub fn request(number: u32, packet_bytes: u32) -> Vec<u8> {
    let length = packet_bytes.max(SMALLEST_PACKET).saturating_sub(HEADERS);
    let mut datagram = vec![0x5a; length as usize];
    datagram[..4].copy_from_slice(&REQUEST);
    datagram[4..8].copy_from_slice(&number.to_le_bytes());
    datagram
}

/// The number of a request; `None` for any other datagram.
pub fn number_of(datagram: &[u8]) -> Option<u32> {
    let rest = datagram.strip_prefix(&REQUEST)?;
    Some(u32::from_le_bytes(*rest.first_chunk()?))
}

impl Answer {
    /// As a datagram.
    pub fn encode(self) -> [u8; ANSWER_BYTES] {
        let mut datagram = [0; ANSWER_BYTES];
        datagram[..4].copy_from_slice(&ANSWER);
        datagram[4..8].copy_from_slice(&self.number.to_le_bytes());
        datagram[8..12].copy_from_slice(&self.packet_bytes.to_le_bytes());
        datagram[12..].copy_from_slice(&self.held_ns.to_le_bytes());
        datagram
    }

    /// From a datagram; `None` for any other.
    pub fn decode(datagram: &[u8]) -> Option<Self> {
        let datagram: &[u8; ANSWER_BYTES] = datagram.try_into().ok()?;
        let rest = datagram.strip_prefix(&ANSWER)?;
        let (number, rest) = rest.split_first_chunk()?;
        let (packet_bytes, rest) = rest.split_first_chunk()?;
        Some(Self {
            number: u32::from_le_bytes(*number),
            packet_bytes: u32::from_le_bytes(*packet_bytes),
            held_ns: u64::from_le_bytes(*rest.first_chunk()?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_say_what_they_were_made_of() {
        let answer = Answer { number: 7, packet_bytes: 1500, held_ns: 1 << 40 };
        assert_eq!(Answer::decode(&answer.encode()), Some(answer));
        assert_eq!(Answer::decode(b"pcl!"), None);
        assert_eq!(Answer::decode(&request(1, 48)), None);
        let datagram = request(0xdead_beef, 1500);
        assert_eq!(datagram.len(), 1472);
        assert_eq!(number_of(&datagram), Some(0xdead_beef));
        assert_eq!(number_of(&answer.encode()), None);
        assert_eq!(request(1, 0).len(), 40, "never smaller than it can be");
    }
}
