//! HTTP/1.1, as little of it as pveproxy and its clients speak.

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

/// A call.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub method: String,
    /// Behind `/api2/json`.
    pub path: String,
    /// Of the URL, or of the body.
    pub parameters: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub reason: String,
    pub content_type: String,
    pub body: String,
}

impl Request {
    /// The next of a connection; `None` at its end.
    pub async fn read<R: tokio::io::AsyncRead + Unpin>(from: &mut BufReader<R>) -> Option<Self> {
        let mut request = Self::default();
        let mut line = String::new();
        from.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
        let mut words = line.split_whitespace();
        request.method = words.next()?.to_owned();
        let url = words.next()?.to_owned();
        loop {
            let mut line = String::new();
            from.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            request.headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let length = request.header("content-length").map_or(0, |n| n.parse().expect("a number"));
        request.body = vec![0; length];
        from.read_exact(&mut request.body).await.ok()?;
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        request.path = path.strip_prefix("/api2/json")?.to_owned();
        request.parameters = pairs(query);
        let form = "application/x-www-form-urlencoded";
        if request.header("content-type") == Some(form) {
            let body = String::from_utf8(request.body.clone()).expect("ASCII");
            request.parameters.extend(pairs(&body));
        }
        Some(request)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The path's parts, decoded.
    pub fn parts(&self) -> Vec<String> {
        self.path.split('/').skip(1).map(decode).collect()
    }

    /// As the recordings name it.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Reply {
    pub fn data(data: &Value) -> Self {
        Self::json(200, "OK", json!({ "data": data }))
    }

    pub fn json(status: u16, reason: &str, body: Value) -> Self {
        Self {
            status,
            reason: reason.to_owned(),
            content_type: "application/json;charset=UTF-8".to_owned(),
            body: body.to_string(),
        }
    }

    /// An error: its text in the reason phrase, and in a message since Proxmox VE 8.4.
    pub fn error(status: u16, text: &str) -> Self {
        Self::json(status, text, json!({"data": null, "message": format!("{text}\n")}))
    }

    /// Parameters that are refused.
    pub fn parameters(errors: &[(&str, &str)]) -> Self {
        let text = "Parameter verification failed.";
        let errors: serde_json::Map<_, _> =
            errors.iter().map(|(name, why)| ((*name).to_owned(), json!(why))).collect();
        Self::json(400, text, json!({"data": null, "message": text, "errors": errors}))
    }

    /// Nothing but a status line.
    pub fn bare(status: u16, reason: &str) -> Self {
        let (reason, content_type) = (reason.to_owned(), "text/plain".to_owned());
        Self { status, reason, content_type, body: String::new() }
    }

    pub fn html(status: u16, reason: &str, body: &str) -> Self {
        let (reason, content_type) = (reason.to_owned(), "text/html".to_owned());
        Self { status, reason, content_type, body: body.to_owned() }
    }

    /// As Proxmox VE before 8.4 says it: without a message.
    pub fn without_message(mut self) -> Self {
        if let Ok(Value::Object(mut body)) = serde_json::from_str(&self.body) {
            body.remove("message");
            self.body = Value::Object(body).to_string();
        }
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        format!(
            "HTTP/1.1 {} {}\r\nDate: Sun, 22 Nov 2026 10:10:30 GMT\r\nServer: pve-api-daemon/3.0\r\n\
             Content-Length: {}\r\nContent-Type: {}\r\n{}\r\n{}",
            self.status,
            self.reason,
            self.body.len(),
            self.content_type,
            if self.status >= 400 { "Connection: close\r\n" } else { "" },
            self.body
        )
        .into_bytes()
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key), decode(value))
        })
        .collect()
}

pub fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next().expect("a digit"), rest.next().expect("a digit")];
                let hex = std::str::from_utf8(&hex).expect("ASCII");
                u8::from_str_radix(hex, 16).expect("hexadecimal")
            }
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8(bytes).expect("UTF-8")
}
