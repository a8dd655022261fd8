//! Frames come back as they were sent, in whatever pieces they arrive.

use proptest::prelude::*;
use wire::frame::{
    Body, Frame, FrameError, HEADER_BYTES, Hello, MAX_PAYLOAD_BYTES, Spawn, Stream, Words, pack,
};

/// What a frame borrows from.
#[derive(Clone, Debug)]
struct Parts {
    kind: u8,
    stream: Stream,
    channel: u32,
    number: u64,
    texts: [String; 3],
    words: Vec<u8>,
    more_words: Vec<u8>,
    bytes: Vec<u8>,
}

fn packed() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<String>(), 0..5).prop_map(|texts| {
        let mut out = Vec::new();
        pack(texts, &mut out);
        out
    })
}

fn parts() -> impl Strategy<Value = Parts> {
    let stream = prop::sample::select(vec![Stream::In, Stream::Out, Stream::Err]);
    let bytes = prop::collection::vec(any::<u8>(), 0..200);
    let own = (1..16u8, stream, any::<u32>(), any::<u64>());
    (own, any::<[String; 3]>(), packed(), packed(), bytes).prop_map(
        |((kind, stream, channel, number), texts, words, more_words, bytes)| Parts {
            kind,
            stream,
            channel,
            number,
            texts,
            words,
            more_words,
            bytes,
        },
    )
}

fn frame(parts: &Parts) -> Frame<'_> {
    let [a, b, c] = &parts.texts;
    let (low, high) = (parts.number as u32, (parts.number >> 32) as u32);
    let body = match parts.kind {
        1 => Body::Hello(Hello { protocol: low, uid: high, version: a, boot_id: b, folder: c }),
        2 => Body::Spawn(Spawn {
            carried: [low & 1 == 0, low & 2 == 0, low & 4 == 0],
            cwd: a,
            argv: Words::unpack(&parts.words).expect("packed"),
            env: Words::unpack(&parts.more_words).expect("packed"),
        }),
        3 => Body::Connect(a),
        4 => Body::Kill,
        5 => Body::Clock,
        6 => Body::Data(parts.stream, &parts.bytes),
        7 => Body::End(parts.stream),
        8 => Body::Window(parts.stream, low),
        9 => Body::Started(low),
        10 => Body::Refused(a),
        11 => Body::Exited(low as i32),
        12 => Body::Signaled(low as i32),
        13 => Body::Listen,
        14 => Body::Accept(low),
        _ => Body::ClockRead { wall_ns: parts.number, monotonic_ns: !parts.number },
    };
    Frame { channel: parts.channel, body }
}

fn encoded(frame: &Frame<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    frame.encode(&mut out);
    out
}

proptest! {
    #[test]
    fn frames_come_back(all in prop::collection::vec(parts(), 1..5)) {
        let mut stream = Vec::new();
        for parts in &all {
            frame(parts).encode(&mut stream);
        }
        let mut rest = &stream[..];
        for parts in &all {
            let (read, length) = Frame::split(rest).unwrap().unwrap();
            prop_assert_eq!(read, frame(parts));
            rest = &rest[length..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn a_part_of_a_frame_is_waited_for(parts in parts(), cut in any::<prop::sample::Index>()) {
        let whole = encoded(&frame(&parts));
        prop_assert_eq!(Frame::split(&whole[..cut.index(whole.len())]), Ok(None));
    }

    #[test]
    fn anything_can_be_read_or_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        if let Ok(Some((frame, length))) = Frame::split(&bytes) {
            prop_assert!(length <= bytes.len());
            let again = encoded(&frame);
            let (read, _) = Frame::split(&again).unwrap().unwrap();
            prop_assert_eq!(read, frame);
        }
    }
}

#[test]
fn texts_are_listed_in_order() {
    let mut bytes = Vec::new();
    pack(["tc", "", "qdisc show"], &mut bytes);
    let words = Words::unpack(&bytes).unwrap();
    assert_eq!(words.count(), 3);
    assert_eq!(words.iter().collect::<Vec<_>>(), ["tc", "", "qdisc show"]);
    assert_eq!(Words::unpack(&bytes[..bytes.len() - 1]), Err(FrameError::Length));
    assert_eq!(Words::EMPTY.iter().count(), 0);
}

#[test]
fn what_is_no_frame_is_refused() {
    let mut kill = encoded(&Frame { channel: 7, body: Body::Kill });
    assert_eq!(kill.len(), HEADER_BYTES);
    kill[0] = 200;
    assert_eq!(Frame::split(&kill), Err(FrameError::UnknownCode));
    kill[0] = 4;
    kill[1] = 9;
    assert_eq!(Frame::split(&kill), Err(FrameError::UnknownCode));

    let mut started = encoded(&Frame { channel: 7, body: Body::Started(1) });
    started[6] = 3;
    assert_eq!(Frame::split(&started), Err(FrameError::Length));
    started[6..10].copy_from_slice(&u32::try_from(MAX_PAYLOAD_BYTES + 1).unwrap().to_le_bytes());
    assert_eq!(Frame::split(&started), Err(FrameError::Length), "not waited for");

    let text = encoded(&Frame { channel: 7, body: Body::Data(Stream::In, &[0xff]) });
    let refused = [&[10], &text[1..]].concat();
    assert_eq!(Frame::split(&refused), Err(FrameError::Text));
}
