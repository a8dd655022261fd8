//! The UDP messages: what is encoded is what is decoded, and nothing sent by a stranger panics.

use proptest::prelude::*;
use wire::{
    Config, Content, DecodeError, DiskVerification, Heartbeat, Layout, MAX_MESSAGE_BYTES, Message,
    Pattern, Refusal, State, Verification, is_of_same_trial,
};

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    let state = prop_oneof![
        Just(State::Waiting),
        Just(State::Filling),
        Just(State::Steady),
        Just(State::Verifying),
    ];
    (any::<[u64; 6]>(), any::<u32>(), state).prop_map(|(numbers, disk_errors, state)| {
        let [sequence, guest_ns, pages_written, pages_dropped, passes, disk_writes] = numbers;
        Heartbeat {
            sequence,
            guest_ns,
            state,
            pages_written,
            pages_dropped,
            passes,
            disk_writes,
            disk_errors,
        }
    })
}

fn config() -> impl Strategy<Value = Config> {
    let pattern = prop_oneof![
        Just(Pattern::Idle),
        Just(Pattern::Sequential),
        Just(Pattern::Random),
        Just(Pattern::Hotspot),
    ];
    let content = prop_oneof![Just(Content::Random), Just(Content::Sparse), Just(Content::Zero)];
    (any::<[u64; 4]>(), any::<[u32; 3]>(), pattern, content).prop_map(
        |(long, short, pattern, content)| Config {
            seed: long[0],
            working_set_pages: long[1],
            filled_pages: long[2],
            touch_pages_per_s: short[0],
            heartbeat_interval_us: short[1],
            pattern,
            content,
            disk_blocks: long[3],
            disk_writes_per_s: short[2],
        },
    )
}

fn disk_verification() -> impl Strategy<Value = DiskVerification> {
    (any::<[u64; 5]>(), any::<u32>()).prop_map(|(numbers, errors)| {
        let [writes, blocks_checked, blocks_wrong, first_wrong_block, blocks_unreadable] = numbers;
        DiskVerification {
            writes,
            blocks_checked,
            blocks_wrong,
            first_wrong_block,
            blocks_unreadable,
            errors,
        }
    })
}

fn verification() -> impl Strategy<Value = Verification> {
    (any::<[u64; 5]>(), any::<bool>(), disk_verification()).prop_map(
        |(numbers, image_intact, disk)| {
            let [pages_written, pages_checked, pages_wrong, first_wrong_page, took_ns] = numbers;
            Verification {
                pages_written,
                pages_checked,
                pages_wrong,
                first_wrong_page,
                image_intact,
                took_ns,
                disk,
            }
        },
    )
}

fn message() -> impl Strategy<Value = Message> {
    let refusal = prop_oneof![
        Just(Refusal::TooManyPages),
        Just(Refusal::AlreadyConfigured),
        Just(Refusal::NotSteady),
        Just(Refusal::TooManyBlocks),
    ];
    let layout = any::<[u64; 3]>().prop_map(|[memory_pages, workload_pages, own_pages]| Layout {
        memory_pages,
        workload_pages,
        own_pages,
    });
    prop_oneof![
        heartbeat().prop_map(Message::Heartbeat),
        (any::<u32>(), config())
            .prop_map(|(request, config)| Message::Configure { request, config }),
        (any::<u32>(), layout)
            .prop_map(|(request, layout)| Message::Configured { request, layout }),
        any::<u32>().prop_map(|request| Message::Verify { request }),
        (any::<u32>(), verification())
            .prop_map(|(request, verification)| Message::Verified { request, verification }),
        (any::<u32>(), refusal)
            .prop_map(|(request, refusal)| Message::Refused { request, refusal }),
    ]
}

#[test]
fn what_another_trial_asked_is_not_of_this_one() {
    for configured in [0, 7, u32::MAX] {
        let after = |count: u32| is_of_same_trial(configured, configured.wrapping_add(count));
        assert!(after(0) && after(1) && after(999));
        assert!(!after(1000));
        // A microsecond earlier, and an hour.
        assert!(!after(1_u32.wrapping_neg()) && !after(3_600_000_000_u32.wrapping_neg()));
    }
}

proptest! {
    #[test]
    fn decoding_undoes_encoding(message in message()) {
        let mut buffer = [0xaa; MAX_MESSAGE_BYTES];
        prop_assert_eq!(Message::decode(message.encode(&mut buffer)), Ok(message));
    }

    #[test]
    fn other_lengths_are_refused(message in message(), cut in 1_usize..MAX_MESSAGE_BYTES) {
        let mut buffer = [0; MAX_MESSAGE_BYTES];
        let mut datagram = message.encode(&mut buffer).to_vec();
        let shorter = &datagram[..datagram.len().saturating_sub(cut)];
        prop_assert_eq!(Message::decode(shorter), Err(DecodeError::Length));
        datagram.push(0);
        prop_assert_eq!(Message::decode(&datagram), Err(DecodeError::Length));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::decode(&bytes);
        let with_magic = [b"PCL2", bytes.as_slice()].concat();
        let _ = Message::decode(&with_magic);
    }

    #[test]
    fn what_decodes_encodes_to_the_same_bytes(
        kind in 1_u8..=6,
        body in prop::collection::vec(0_u8..4, 0..MAX_MESSAGE_BYTES - 5),
    ) {
        let datagram = [b"PCL2", [kind].as_slice(), body.as_slice()].concat();
        if let Ok(message) = Message::decode(&datagram) {
            // The one field with several encodings of the same value: any number but 0 is true.
            if !matches!(message, Message::Verified { .. }) {
                let mut buffer = [0; MAX_MESSAGE_BYTES];
                prop_assert_eq!(message.encode(&mut buffer), datagram);
            }
        }
    }
}

#[test]
fn the_layout_is_what_the_documentation_says() {
    let message = Message::Heartbeat(Heartbeat {
        sequence: 1,
        guest_ns: 0x0203,
        state: State::Steady,
        pages_written: 4,
        pages_dropped: 5,
        passes: 6,
        disk_writes: 7,
        disk_errors: 8,
    });
    let mut expected = b"PCL2\x01".to_vec();
    expected.extend(1_u64.to_le_bytes());
    expected.extend([3, 2, 0, 0, 0, 0, 0, 0]);
    expected.push(2);
    for number in [4_u64, 5, 6, 7] {
        expected.extend(number.to_le_bytes());
    }
    expected.extend(8_u32.to_le_bytes());
    assert_eq!(message.encode(&mut [0; MAX_MESSAGE_BYTES]), expected);
}

#[test]
fn strangers_are_told_apart_from_newer_versions() {
    assert_eq!(Message::decode(b"HTTP/1.1 200 OK"), Err(DecodeError::Foreign));
    assert_eq!(Message::decode(b"PCL2\x07"), Err(DecodeError::UnknownCode));
    assert_eq!(Message::decode(b"PCL2\x06\0\0\0\0\x09"), Err(DecodeError::UnknownCode));
    assert_eq!(Message::decode(b"PCL"), Err(DecodeError::Length));
    // A guest without a disk: its heartbeat would otherwise be one that is cut short.
    let mut older = b"PCL1\x01".to_vec();
    older.resize(46, 0);
    assert_eq!(Message::decode(&older), Err(DecodeError::OtherVersion));
}

#[test]
fn mac_and_ipv4_are_two_forms_of_one_address() {
    let ipv4 = [10, 77, 0, 9];
    let mac = wire::mac_of_ipv4(ipv4);
    assert_eq!(mac, [0x52, 0x50, 10, 77, 0, 9]);
    assert_eq!(wire::ipv4_of_mac(mac), Some(ipv4));
    assert_eq!(wire::ipv4_of_mac([0x52, 0x54, 0, 0x12, 0x34, 0x56]), None);
}
