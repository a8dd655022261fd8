//! The name of a task: `UPID:node:pid:pstart:start:type:id:user:`.

use std::{fmt, str::FromStr};

/// Names a task of a cluster, and the node that it runs on: where it is asked about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Upid {
    text: String,
    node: String,
    start_s: u64,
    kind: String,
    id: String,
    user: String,
}

impl Upid {
    /// The node it runs on, which need not be the one that was asked to start it.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// When it started, in seconds since 1970 by that node's clock.
    #[must_use]
    pub fn start_s(&self) -> u64 {
        self.start_s
    }

    /// What it does, such as `qmigrate`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// What it does it to, mostly a VM's id; may be empty.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Who started it: a user, or a token as `user@realm!name`.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Display for Upid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What is no task's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no task's name (UPID): {0:?}")]
pub struct NotAUpid(pub String);

impl FromStr for Upid {
    type Err = NotAUpid;

    fn from_str(text: &str) -> Result<Self, NotAUpid> {
        parse(text).ok_or_else(|| NotAUpid(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Upid> {
    let mut parts = text.strip_prefix("UPID:")?.strip_suffix(':')?.split(':');
    let node = parts.next().filter(|node| is_node(node))?;
    hex(parts.next()?, 8, 8)?;
    hex(parts.next()?, 8, 9)?;
    let start_s = hex(parts.next()?, 8, 8)?;
    let plain = |part: &&str| !part.contains(|c: char| c.is_whitespace() || c == '/');
    let kind = parts.next().filter(plain).filter(|kind| !kind.is_empty())?;
    let id = parts.next().filter(plain)?;
    let user = parts.next().filter(plain).filter(|user| !user.is_empty())?;
    let own = str::to_owned;
    parts.next().is_none().then(|| Upid {
        text: own(text),
        node: own(node),
        start_s,
        kind: own(kind),
        id: own(id),
        user: own(user),
    })
}

fn is_node(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn hex(text: &str, least: usize, most: usize) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_hexdigit());
    ((least..=most).contains(&text.len()) && digits).then(|| u64::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_recorded_one_is_understood() {
        let text = "UPID:pve1:00000C37:0009F9B8:6B02C143:qmigrate:201:lab@pve!harness:";
        let upid: Upid = text.parse().unwrap();
        assert_eq!((upid.node(), upid.kind(), upid.id()), ("pve1", "qmigrate", "201"));
        assert_eq!((upid.user(), upid.start_s()), ("lab@pve!harness", 0x6B02_C143));
        assert_eq!(upid.to_string(), text);
        let empty: Upid =
            "UPID:pve2:000000D4:0005D20B1:6B02B6A0:startall::root@pam:".parse().unwrap();
        assert_eq!(empty.id(), "");
    }

    #[test]
    fn anything_else_is_refused() {
        for wrong in [
            "",
            "UPID:nonsense",
            "UPID:pve1:00000C37:0009F9B8:6B02C143:qmigrate:201:root@pam",
            "UPID:pve1:0C37:0009F9B8:6B02C143:qmigrate:201:root@pam:",
            "UPID:pve1:00000C37:0009F9B8:+B02C143:qmigrate:201:root@pam:",
            "UPID:-pve1:00000C37:0009F9B8:6B02C143:qmigrate:201:root@pam:",
            "UPID:../x:00000C37:0009F9B8:6B02C143:qmigrate:201:root@pam:",
            "UPID:pve1:00000C37:0009F9B8:6B02C143:qm/x:201:root@pam:",
            "UPID:pve1:00000C37:0009F9B8:6B02C143::201:root@pam:",
            "UPID:pve1:00000C37:0009F9B8:6B02C143:qmigrate:201:root@pam:x:",
        ] {
            assert_eq!(wrong.parse::<Upid>(), Err(NotAUpid(wrong.to_owned())));
        }
    }

    proptest! {
        #[test]
        fn every_good_one_is_read(
            node in "[A-Za-z0-9][A-Za-z0-9-]{0,10}", pid: u32, pstart in 0u64..0xF_FFFF_FFFF,
            start: u32, kind in "[a-z]{1,9}", id in "[a-z0-9.-]{0,6}",
        ) {
            let text = format!("UPID:{node}:{pid:08X}:{pstart:08X}:{start:08X}:{kind}:{id}:root@pam:");
            let upid: Upid = text.parse().unwrap();
            prop_assert_eq!(upid.start_s(), u64::from(start));
            prop_assert_eq!(upid.id(), &id);
            prop_assert_eq!(upid.to_string(), text);
        }

        #[test]
        fn nothing_makes_it_panic(text in any::<String>()) {
            let _ = text.parse::<Upid>();
        }
    }
}
