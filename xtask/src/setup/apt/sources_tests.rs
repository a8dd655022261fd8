use super::*;

const STANZAS: &str = "\
Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
";

const LINES: &str = "\
# deb cdrom:[Debian GNU/Linux 12]/ bookworm main
deb http://security.example/debian-security bookworm-security main
deb [ arch=amd64,i386 signed-by=/usr/share/keyrings/k.gpg ] https://mirror.example/debian/ bookworm main non-free-firmware # mine
deb-src https://mirror.example/debian/ bookworm main
deb http://mirror.example/debian bookworm-updates main
";

#[test]
fn a_backports_source_from_stanzas() {
    insta::assert_snapshot!(backports(&parse_stanzas(STANZAS), "bookworm").expect("an archive"));
}

#[test]
fn a_backports_source_from_lines() {
    insta::assert_snapshot!(backports(&parse_lines(LINES), "bookworm").expect("an archive"));
}

#[test]
fn a_key_inside_a_stanza_is_kept() {
    let text = "\
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mDMEabc=
 -----END PGP PUBLIC KEY BLOCK-----
Trusted: no
";
    let sources = parse_stanzas(text);
    let made = backports(&sources, "bookworm").expect("an archive");
    let again = parse_stanzas(&made);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].options, sources[0].options);
    assert!(offer(&again, "bookworm-backports"), "{made}");
}

#[test]
fn what_was_made_is_understood() {
    for sources in [parse_stanzas(STANZAS), parse_lines(LINES)] {
        assert!(!offer(&sources, "bookworm-backports"));
        let made = backports(&sources, "bookworm").expect("an archive");
        assert!(offer(&parse_stanzas(&made), "bookworm-backports"), "{made}");
    }
}

#[test]
fn security_and_updates_are_not_the_archive() {
    let text = "deb http://s.example/debian-security bookworm-security main\n\
                deb http://m.example/debian bookworm-updates main\n\
                deb http://m.example/debian bookworm contrib\n\
                deb-src http://m.example/debian bookworm main\n\
                deb cdrom:[disc]/ bookworm main\n";
    assert_eq!(backports(&parse_lines(text), "bookworm"), None);
}

#[test]
fn a_source_that_is_switched_off_offers_nothing() {
    let off = STANZAS.replace("Types: deb deb-src", "Enabled: no\nTypes: deb deb-src");
    assert_eq!(backports(&parse_stanzas(&off), "bookworm"), None);
    let backports = "deb http://m.example/debian bookworm-backports main\n";
    assert!(offer(&parse_lines(backports), "bookworm-backports"));
    assert!(!offer(&parse_lines(&format!("# {backports}")), "bookworm-backports"));
    assert!(!offer(&parse_lines(&backports.replace("deb ", "deb-src ")), "bookworm-backports"));
}

#[test]
fn files_that_are_no_sources_are_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let parts = folder.path().join("sources.list.d");
    fs::create_dir(&parts).expect("made");
    for (name, text) in [
        ("sources.list.d/a.sources", STANZAS),
        ("sources.list.d/b.list", LINES),
        ("sources.list.d/c.list.disabled", LINES),
        ("sources.list", "deb http://m.example/debian sid main\n"),
    ] {
        fs::write(folder.path().join(name), text).expect("written");
    }
    let sources = read(folder.path()).expect("readable");
    assert_eq!(sources.len(), 2 + 4 + 1);
    assert!(offer(&sources, "sid"));
    assert_eq!(read(Path::new("/no/such/folder")).expect("nothing"), Vec::new());
}
