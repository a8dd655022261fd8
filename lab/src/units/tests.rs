use super::*;
use proptest::prelude::*;

#[test]
fn quantities_are_read_and_written() {
    assert_eq!("256 MiB".parse(), Ok(Bytes(256 << 20)));
    assert_eq!("1.5GiB".parse(), Ok(Bytes(1536 << 20)));
    assert_eq!(Bytes(1536 << 20).to_string(), "1536 MiB");
    assert_eq!("1 Gbit/s".parse(), Ok(BitRate(1_000_000_000)));
    assert_eq!("5_000 pages/s".parse(), Ok(PageRate(5000)));
    assert_eq!("200 blocks/s".parse(), Ok(BlockRate(200)));
    assert_eq!(Millis(300).to_string(), "300 ms");
    assert_eq!(Millis(90_000).to_string(), "90 s");
}

#[test]
fn what_is_not_a_quantity_is_refused_with_an_example() {
    for text in ["256", "MiB", "1.MiB", "-1 MiB", "0.0001 KiB", "1 Gbit/s", "99999999999999 GiB"] {
        let error = text.parse::<Bytes>().expect_err(text);
        assert_eq!(
            error.to_string(),
            format!("expected a size in KiB, MiB or GiB, such as `256 MiB`, got `{text}`")
        );
    }
}

#[test]
fn a_near_miss_has_a_hint() {
    let hint = |error: QuantityError| error.hint().map(str::to_owned);
    let of = |hints: Option<String>| hints.unwrap_or_default();
    assert_eq!(of(hint("256".parse::<Bytes>().unwrap_err())), "add its unit, such as `256 MiB`");
    assert!(of(hint("256 MB".parse::<Bytes>().unwrap_err())).contains("powers of 1024"));
    assert!(of(hint("100 MB/s".parse::<BitRate>().unwrap_err())).contains("bits, not bytes"));
    assert!(of(hint("400 Mbit/s".parse::<ByteRate>().unwrap_err())).contains("bytes, not bits"));
    assert_eq!(of(hint("5000 Pages".parse::<PageRate>().unwrap_err())), "write pages/s");
    assert_eq!(of(hint("100 IOPS".parse::<BlockRate>().unwrap_err())), "write blocks/s");
    assert!(of(hint("1 MiB/s".parse::<BlockRate>().unwrap_err())).contains("256 blocks/s"));
    assert_eq!(of(hint("3 seconds".parse::<Millis>().unwrap_err())), "write s");
    assert_eq!(hint("fast".parse::<BitRate>().unwrap_err()), None);
}

#[test]
fn what_does_not_fit_the_type_is_refused() {
    assert!("4294967295 pages/s".parse::<PageRate>().is_ok());
    assert!("4294967296 pages/s".parse::<PageRate>().is_err());
    assert!("18446744073709551615 B".parse::<Bytes>().is_ok());
    assert!("18446744073709551616 B".parse::<Bytes>().is_err());
}

/// Any number, often one that a larger unit divides.
fn amount() -> impl Strategy<Value = u64> {
    let factor = prop::sample::select(vec![1, 1000, 60_000, 1 << 20, 1_000_000_000, 1 << 30]);
    prop_oneof![any::<u64>(), (0_u64..10_000, factor).prop_map(|(count, factor)| count * factor)]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(amount in amount(), rate in any::<u32>()) {
        prop_assert_eq!(Bytes(amount).to_string().parse(), Ok(Bytes(amount)));
        prop_assert_eq!(BitRate(amount).to_string().parse(), Ok(BitRate(amount)));
        prop_assert_eq!(ByteRate(amount).to_string().parse(), Ok(ByteRate(amount)));
        prop_assert_eq!(Millis(amount).to_string().parse(), Ok(Millis(amount)));
        prop_assert_eq!(PageRate(rate).to_string().parse(), Ok(PageRate(rate)));
    }

    #[test]
    fn a_fraction_is_exact_or_refused(thousandths in 0_u64..10_000_000) {
        let text = format!("{}.{:03} s", thousandths / 1000, thousandths % 1000);
        prop_assert_eq!(text.parse(), Ok(Millis(thousandths)));
        let text = format!("{}.{:03}1 s", thousandths / 1000, thousandths % 1000);
        prop_assert!(text.parse::<Millis>().is_err());
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,40}") {
        let _ = text.parse::<Bytes>();
        let _ = text.parse::<PageRate>();
    }
}
