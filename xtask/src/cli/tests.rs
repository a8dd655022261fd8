use super::*;

fn parsed(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split_whitespace())
}

#[test]
fn the_definition_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_shows_examples() {
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let help = command.clone().render_long_help().to_string();
        let example = format!("cargo xtask {}", command.get_name());
        assert!(help.contains("Examples:") && help.contains(&example), "{help}");
    }
}

#[test]
fn a_node_command_comes_after_two_dashes() {
    let cli = parsed("x lab-exec node1 --lab l.yaml -- ip -j link --color").expect("valid");
    let Command::LabExec(args) = cli.command else { panic!("{cli:?}") };
    assert_eq!((args.node.as_str(), args.lab.lab.as_str()), ("node1", "l.yaml"));
    assert_eq!(args.command, ["ip", "-j", "link", "--color"]);
    assert!(parsed("x lab-exec node1 ip").is_err());
    assert!(parsed("x lab-exec node1").is_err());
}

#[test]
fn a_resumed_run_brings_its_own_experiment() {
    assert!(parsed("x experiment --resume runs/1").is_ok());
    assert!(parsed("x experiment a.yaml --resume runs/1").is_err());
    assert!(parsed("x experiment --resume runs/1 --lab l.yaml").is_err());
    // A program may have moved since; that it is the same one is checked by its hash.
    assert!(parsed("x experiment --resume runs/1 --qemu new=/opt/qemu").is_ok());
}

#[test]
fn shards() {
    assert_eq!("2/3".parse(), Ok(Shard { index: 2, count: 3 }));
    for text in ["", "1", "0/3", "4/3", "1/0", "a/b", "1/2/3", "-1/2"] {
        assert!(text.parse::<Shard>().is_err(), "{text}");
    }
}

#[test]
fn the_wish_for_colour_is_known_before_clap_is_asked() {
    let color =
        |line: &str| color_in(&line.split_whitespace().map(OsString::from).collect::<Vec<_>>());
    assert_eq!(color("x --color never nonsense"), ColorChoice::Never);
    assert_eq!(color("x nonsense --color=always"), ColorChoice::Always);
    assert_eq!(color("x lab-exec n -- ls --color=always"), ColorChoice::Auto);
    assert_eq!(color("x --color"), ColorChoice::Auto);
}
