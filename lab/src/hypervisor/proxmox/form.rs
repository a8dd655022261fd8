//! Parameters of a call, as Proxmox takes them: `application/x-www-form-urlencoded`, booleans as
//! `1` and `0`; `multipart/form-data` where a file goes along.

use super::secret::Secret;
use hyper::body::Bytes;
use sha2::{Digest, Sha256};
use std::fmt;

/// Parameters in their order. What is shown of it are the names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Form {
    pairs: Vec<(String, String)>,
    file: Option<(String, Bytes)>,
}

impl Form {
    /// No parameters.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a text or number. The same key may be given again: that makes a list.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.pairs.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds it if there is one.
    #[must_use]
    pub fn with_some(self, key: &str, value: Option<impl fmt::Display>) -> Self {
        match value {
            Some(value) => self.with(key, value),
            None => self,
        }
    }

    /// Adds a boolean.
    #[must_use]
    pub fn with_flag(self, key: &str, value: bool) -> Self {
        self.with(key, u8::from(value))
    }

    /// Adds what must not be seen.
    #[must_use]
    pub(super) fn with_secret(self, key: &str, value: &Secret) -> Self {
        self.with(key, value.reveal())
    }

    /// Adds a file to upload, under this name.
    #[must_use]
    pub(super) fn with_file(mut self, name: &str, content: Bytes) -> Self {
        self.file = Some((name.to_owned(), content));
        self
    }

    /// What is sent in a body: its type and itself.
    pub(super) fn body(&self) -> (String, Bytes) {
        match &self.file {
            None => ("application/x-www-form-urlencoded".to_owned(), Bytes::from(self.encode())),
            Some((name, content)) => self.multipart(name, content),
        }
    }

    /// Proxmox reads it by a parser of its own: parameters come before the file, the file's part
    /// is named `filename` and begins with its disposition.
    fn multipart(&self, name: &str, content: &Bytes) -> (String, Bytes) {
        // Nothing that could be in the content.
        let digest = Sha256::digest(content);
        let hex: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        let boundary = format!("precopy-lab-{hex}");
        let mut body = Vec::with_capacity(content.len() + 1024);
        for (key, value) in &self.pairs {
            let part = format!("Content-Disposition: form-data; name=\"{key}\"\r\n\r\n{value}");
            body.extend_from_slice(format!("--{boundary}\r\n{part}\r\n").as_bytes());
        }
        let part = format!(
            "Content-Disposition: form-data; name=\"filename\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream"
        );
        body.extend_from_slice(format!("--{boundary}\r\n{part}\r\n\r\n").as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), Bytes::from(body))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// As it is sent, in a body or after a `?`.
    pub(super) fn encode(&self) -> String {
        let pairs =
            self.pairs.iter().map(|(key, value)| format!("{}={}", encode(key), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.pairs.iter().map(|(key, _)| key)).finish()
    }
}

/// Percent-encodes everything but what no reader takes for anything else (RFC 3986, 2.3): good
/// for a parameter, one part of a path and a cookie.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// As a server does it, written without looking at `encode`.
    fn decode(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let [first, tail @ ..] = rest {
            rest = match first {
                b'%' => {
                    let hex = std::str::from_utf8(&tail[..2]).unwrap();
                    bytes.push(u8::from_str_radix(hex, 16).unwrap());
                    &tail[2..]
                }
                _ => {
                    bytes.push(*first);
                    tail
                }
            };
        }
        String::from_utf8(bytes).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in any::<String>()) {
            let encoded = encode(&text);
            prop_assert!(encoded.bytes().all(|b| b.is_ascii_graphic() && !b"&=+?/#".contains(&b)));
            prop_assert_eq!(decode(&encoded), text);
        }
    }

    #[test]
    fn booleans_are_ones_and_zeroes() {
        let form = Form::new().with("target", "pve2").with_flag("online", true);
        let form = form.with_flag("force", false).with_some("bwlimit", None::<u64>);
        assert_eq!(form.encode(), "target=pve2&online=1&force=0");
        let net = Form::new().with("net0", "virtio=02:00:0A:4D:00:65,bridge=vmbr0");
        assert_eq!(net.encode(), "net0=virtio%3D02%3A00%3A0A%3A4D%3A00%3A65%2Cbridge%3Dvmbr0");
    }

    #[test]
    fn values_are_not_shown() {
        let form = Form::new().with_secret("password", &Secret::new("hunter2"));
        assert_eq!(format!("{form:?}"), r#"["password"]"#);
    }
}
