//! try
fn main() -> anyhow::Result<()> {
    let a: Vec<String> = std::env::args().skip(1).collect();
    match a.first().map(String::as_str) {
        Some("__hold") => return lab::provider::netns::hold(&a[1..]),
        Some("__supervise") => return lab::provider::netns::supervise(&a[1..]),
        _ => {}
    }
    use lab::spec::*;
    let net = |b: u8| Network {
        cidr: Ipv4Cidr { address: [10, b, 0, 0].into(), prefix: 24 },
        mtu: 1500,
        link_rate: None,
    };
    let spec = LabSpec {
        name: "local".into(),
        nodes: vec!["node1".into(), "node2".into(), "node3".into()],
        networks: Networks { guest: net(77), migration: net(78) },
    };
    let t = std::time::Instant::now();
    let lab = lab::provider::netns::up(spec, lab::provider::netns::Lifetime::Ephemeral)?;
    println!("up {:?}", t.elapsed());
    let rt = tokio::runtime::Runtime::new()?;
    rt.block_on(async {
        for _ in 0..3 {
            let t = std::time::Instant::now();
            let o = lab.nodes[0]
                .run(&["ip", "-br", "a"].map(str::to_owned), std::time::Duration::from_secs(5))
                .await;
            println!("{:?} {}", t.elapsed(), o.unwrap());
        }
        let t = std::time::Instant::now();
        let o = lab.nodes[0]
            .run(
                &["ping", "-c3", "-i0.01", "10.78.0.2"].map(str::to_owned),
                std::time::Duration::from_secs(5),
            )
            .await;
        println!("{:?} {:?}", t.elapsed(), o);
        let o = lab.nodes[0]
            .run(
                &["ping", "-c3", "-i0.01", "10.77.0.3"].map(str::to_owned),
                std::time::Duration::from_secs(5),
            )
            .await;
        println!("{:?} {:?}", t.elapsed(), o);
        let o = lab.nodes[0]
            .run(&["ps", "ax"].map(str::to_owned), std::time::Duration::from_secs(5))
            .await;
        println!("{:?} {}", t.elapsed(), o.unwrap());
    });
    let t = std::time::Instant::now();
    drop(lab);
    println!("down {:?}", t.elapsed());
    Ok(())
}
