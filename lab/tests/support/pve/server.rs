//! The double as a server on loopback.

use super::{
    certificates::Certificates,
    real,
    request::{Reply, Request},
    world::{Failure, World},
};
use lab::hypervisor::proxmox::{
    Client, Credentials, Endpoint, Fingerprint, Patience, Settings, Trust,
};
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

/// A cluster's API on a port of loopback; ends with this.
pub struct Double {
    pub certificates: Certificates,
    pub address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
}

pub(super) struct Shared {
    world: Mutex<World>,
    /// A VM's configuration is free again.
    unlocked: Notify,
}

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panicked")
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Waits for nothing long: what goes wrong in a test is meant to.
pub const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(20),
    answer: Duration::from_secs(20),
    retry: Duration::from_secs(20),
    settle: Duration::from_millis(150),
    pause: Duration::from_millis(5),
};

impl Double {
    pub async fn start(world: World) -> Self {
        Self::start_with(world, Certificates::new(), false).await
    }

    /// With a certificate whose key it has not.
    pub async fn with_stolen_certificate() -> Self {
        Self::start_with(World::cluster(), Certificates::new(), true).await
    }

    async fn start_with(world: World, certificates: Certificates, stolen: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let acceptor = TlsAcceptor::from(Arc::new(certificates.server(stolen)));
        let shared = Arc::new(Shared { world: Mutex::new(world), unlocked: Notify::new() });
        let serving = tokio::spawn(serve(listener, acceptor, shared.clone()));
        Self { certificates, address, shared, serving }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }

    /// Frees a VM's configuration.
    pub fn unlock(&self, vmid: u32) {
        self.world().vm(vmid).expect("a VM").file_locked = false;
        self.shared.unlocked.notify_waiters();
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificates.node)
    }

    /// Known by the cluster's authority.
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint_by(Trust::Authority(self.certificates.authority.clone().into_bytes()))
    }

    pub fn endpoint_by(&self, trust: Trust) -> Endpoint {
        let (port, address) = (self.address.port(), Some(self.address.ip()));
        Endpoint { host: "pve1".to_owned(), port, address, trust }
    }

    pub fn client(&self, credentials: Credentials) -> Client {
        self.client_with(credentials, PATIENCE)
    }

    pub fn client_with(&self, credentials: Credentials, patience: Patience) -> Client {
        let settings = Settings { patience, ..Settings::new(vec![self.endpoint()], credentials) };
        Client::new(settings).expect("a client")
    }

    /// root@pam by its password.
    pub fn root(&self) -> Client {
        self.client(super::world::root())
    }

    /// A token of a user that may do what [`World::cluster`] says.
    pub fn token(&self) -> Client {
        self.client(super::world::token())
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        tokio::spawn(connection(stream, acceptor.clone(), shared.clone()));
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let cut = {
        let mut world = shared.world.lock().expect("nobody panicked");
        let cut = world.cut_handshakes > 0;
        world.cut_handshakes = world.cut_handshakes.saturating_sub(1);
        cut
    };
    if cut {
        return;
    }
    let Ok(stream) = acceptor.accept(stream).await else { return };
    let (reader, mut writer) = tokio::io::split(stream);
    let mut reader = BufReader::new(reader);
    while let Some(request) = Request::read(&mut reader).await {
        let Some(reply) = answer(&shared, &request).await else { return };
        let mut bytes = reply.bytes();
        let cut = matches!(take_failure(&shared, &request, Failure::is_of_body), Some(()));
        if cut {
            bytes.truncate(bytes.len() - 5);
        }
        if writer.write_all(&bytes).await.is_err() || cut || reply.status >= 400 {
            let _ = writer.shutdown().await;
            return;
        }
    }
}

/// `None`: the connection is dropped.
async fn answer(shared: &Arc<Shared>, request: &Request) -> Option<Reply> {
    let failure = {
        let mut world = shared.world.lock().expect("nobody panicked");
        world.asked.push(request.clone());
        world.failure(request, |failure| !failure.is_of_body())
    };
    match &failure {
        Some(Failure::DropBefore) => return None,
        Some(Failure::SomebodyElse) => {
            let done = (vec!["TASK OK".to_owned()], "OK".to_owned());
            let mut world = shared.world.lock().expect("nobody panicked");
            world.start_task("pve1", "qmigrate", "101", "root@pam", done);
            return None;
        }
        Some(Failure::Hang) => std::future::pending().await,
        Some(Failure::Answer(reply)) => return Some(reply.clone()),
        _ => {}
    }
    if shared.world().drops_upload(request) {
        return None;
    }
    // Listening before looking, so that no sign is missed.
    let unlocked = shared.unlocked.notified();
    tokio::pin!(unlocked);
    unlocked.as_mut().enable();
    let waits = shared.world.lock().expect("nobody panicked").waits_for_file(request);
    if let Some((vmid, at_most)) = waits
        && tokio::time::timeout(at_most, unlocked).await.is_err()
    {
        let file = format!("/var/lock/qemu-server/lock-{vmid}.conf");
        return Some(Reply::error(500, &format!("can't lock file '{file}' - got timeout")));
    }
    let asked = shared.world().status_of(request);
    if let Some((vmid, qmp)) = asked
        && let Ok(said) = qmp.ask("query-status", serde_json::Value::Null).await
        && let Some(vm) = shared.world().vm(vmid)
    {
        vm.qmpstatus = said["status"].as_str().expect("a word").to_owned();
    }
    let qmp = shared.world().monitor_of(request);
    if let Some((qmp, command)) = qmp {
        let arguments = serde_json::json!({ "command-line": command });
        let said = qmp.ask("human-monitor-command", arguments).await.expect("words");
        let said = said.as_str().expect("words").replace('\n', "\r\n");
        return Some(Reply::data(&serde_json::json!(said)));
    }
    let mut world = shared.world.lock().expect("nobody panicked");
    let reply = world.answer(request);
    for pending in std::mem::take(&mut world.pending) {
        tokio::spawn(real::carry_out(shared.clone(), pending));
    }
    let reply = if world.has_messages { reply } else { reply.without_message() };
    if matches!(failure, Some(Failure::DropAfter)) { None } else { Some(reply) }
}

fn take_failure(shared: &Shared, request: &Request, of: fn(&Failure) -> bool) -> Option<()> {
    shared.world.lock().expect("nobody panicked").failure(request, of).map(drop)
}
