//! Bringing a file onto a storage.

use super::{
    call::Client,
    error::{Error, Fault},
    form::{Form, encode},
    upid::{NotAUpid, Upid},
};
use hyper::body::Bytes;
use sha2::{Digest, Sha256};

/// Proxmox takes no longer names.
const LONGEST_NAME: usize = 255;

impl Client {
    /// Uploads a file to a storage of a node as `content`, such as `iso`, and gives the task that
    /// puts it there: on the node that answers, which need not be this one. A file of that name
    /// is replaced, so it is tried again like a read.
    ///
    /// Without the privilege `Datastore.AllocateTemplate` Proxmox drops the connection in the
    /// middle of a large file: look at the [permissions](Client::permissions) before.
    ///
    /// # Errors
    /// A name that Proxmox would change; else as for [`Client::get`].
    pub async fn upload(
        &self,
        node: &str,
        storage: &str,
        content: &str,
        name: &str,
        file: impl Into<Bytes> + Send,
    ) -> Result<Upid, Error> {
        let path = format!("/nodes/{node}/storage/{}/upload", encode(storage));
        let error = |fault| Error::new(format!("POST {path}"), fault);
        let good = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(good) {
            let why = format!("no name for a file on a storage: {name:?}; letters, digits, `-._`");
            return Err(error(Fault::Settings { why }));
        }
        let file: Bytes = file.into();
        let hash: String = Sha256::digest(&file).iter().map(|byte| format!("{byte:02x}")).collect();
        let form = Form::new()
            .with("content", content)
            .with("checksum-algorithm", "sha256")
            .with("checksum", hash)
            .with_file(name, file);
        let task = self.post_again(&path, &form).await?;
        let upid = task.as_str().unwrap_or_default().parse();
        upid.map_err(|e: NotAUpid| error(Fault::Unexpected { why: e.to_string() }))
    }
}
