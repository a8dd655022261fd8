use super::*;
use camino::{Utf8Path, Utf8PathBuf};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    fs,
    sync::{Arc, Mutex},
};
use tokio::{
    io::duplex,
    net::TcpStream,
    sync::{Semaphore, watch},
};

/// An archive that gives each address as its own content, or refuses.
struct Archive {
    asked: Arc<Mutex<Vec<String>>>,
    /// A fetch goes on when it gets one.
    gate: Arc<Semaphore>,
    /// Whether the archive can be reached.
    reachable: watch::Receiver<bool>,
}

impl Fetch for Archive {
    async fn fetch(&self, url: &str, to: &Utf8Path) -> Result<(), FetchError> {
        self.asked.lock().expect("no panic").push(url.to_owned());
        self.gate.acquire().await.expect("open").forget();
        if !*self.reachable.borrow() {
            return Err(FetchError::Failed("no route".to_owned()));
        }
        if url.contains("missing") {
            return Err(FetchError::NotFound);
        }
        fs::write(to, content(url)).map_err(|error| FetchError::Failed(error.to_string()))
    }
}

fn content(url: &str) -> String {
    url.repeat(4000)
}

struct Bench {
    cache: PackageCache<Archive>,
    folder: Utf8PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    gate: Arc<Semaphore>,
    reachable: watch::Sender<bool>,
    _temporary: tempfile::TempDir,
}

fn bench() -> Bench {
    let temporary = tempfile::tempdir().expect("a folder");
    let folder = Utf8PathBuf::try_from(temporary.path().join("packages")).expect("UTF-8");
    let (reachable, receiver) = watch::channel(true);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let gate = Arc::new(Semaphore::new(1000));
    let mut bench = Bench {
        cache: new_cache(&folder, &asked, &gate, &receiver),
        folder,
        asked,
        gate,
        reachable,
        _temporary: temporary,
    };
    bench.again();
    bench
}

fn new_cache(
    folder: &Utf8Path,
    asked: &Arc<Mutex<Vec<String>>>,
    gate: &Arc<Semaphore>,
    reachable: &watch::Receiver<bool>,
) -> PackageCache<Archive> {
    let (asked, gate) = (Arc::clone(asked), Arc::clone(gate));
    let archive = Archive { asked, gate, reachable: reachable.clone() };
    let hosts = BTreeSet::from(["a.example".to_owned()]);
    PackageCache::new(folder, "test", archive, hosts).expect("a cache")
}

impl Bench {
    /// As another run of the program would have it.
    fn again(&mut self) {
        let reachable = self.reachable.subscribe();
        self.cache = new_cache(&self.folder, &self.asked, &self.gate, &reachable);
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("no panic").len()
    }

    /// What comes back for these bytes until the connection ends.
    async fn raw(&self, request: &[u8]) -> String {
        let (mut ours, theirs) = duplex(1 << 16);
        let cache = self.cache.clone();
        let serving = tokio::spawn(async move { cache.connection(theirs).await });
        ours.write_all(request).await.expect("it reads");
        ours.shutdown().await.expect("it ends");
        let mut said = Vec::new();
        ours.read_to_end(&mut said).await.expect("it answers");
        let _how_it_ended = serving.await.expect("no panic");
        String::from_utf8(said).expect("text")
    }

    async fn get(&self, url: &str) -> String {
        self.raw(format!("GET {url} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes()).await
    }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a head").1
}

const DEB: &str = "http://a.example/pool/x.deb";
const INDEX: &str = "http://a.example/dists/trixie/InRelease";

#[tokio::test]
async fn three_nodes_that_ask_at_once_are_one_fetch() {
    let bench = bench();
    bench.gate.forget_permits(1000);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let cache = bench.cache.clone();
    let serving = tokio::spawn(async move { cache.serve(listener, async {}).await });
    let ask = || async move {
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        let request = format!("GET {DEB} HTTP/1.1\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it reads");
        let mut said = String::new();
        stream.read_to_string(&mut said).await.expect("it answers");
        said
    };
    let nodes: Vec<_> = (0..3).map(|_| tokio::spawn(ask())).collect();
    // The fetch has begun; two more permits would let two more go through.
    while bench.asked() == 0 {
        tokio::task::yield_now().await;
    }
    bench.gate.add_permits(3);
    for node in nodes {
        let said = node.await.expect("no panic");
        assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said:.200}");
        assert_eq!(body(&said), content(DEB));
    }
    assert_eq!(bench.asked(), 1);
    let statistics = bench.cache.statistics();
    assert_eq!((statistics.fetched, statistics.from_cache), (1, 2));
    assert_eq!(statistics.served_bytes, 3 * statistics.fetched_bytes);
    serving.abort();
}

#[tokio::test]
async fn packages_are_kept_and_indexes_asked_for_once_a_run() {
    let mut bench = bench();
    for _ in 0..2 {
        for url in [DEB, INDEX] {
            assert_eq!(body(&bench.get(url).await), content(url));
        }
    }
    assert_eq!(bench.asked(), 2, "both once");
    bench.again();
    for url in [DEB, INDEX] {
        assert_eq!(body(&bench.get(url).await), content(url));
    }
    assert_eq!(bench.asked(), 3, "the index once more");
}

#[tokio::test]
async fn without_the_archive_what_was_kept_must_do() {
    let mut bench = bench();
    assert_eq!(body(&bench.get(INDEX).await), content(INDEX));
    bench.reachable.send_replace(false);
    bench.again();
    assert_eq!(body(&bench.get(INDEX).await), content(INDEX));
    let other = bench.get("http://a.example/dists/trixie/other").await;
    assert!(other.starts_with("HTTP/1.1 502 ") && other.contains("no route"), "{other}");
    assert_eq!(fs::read_dir(bench.folder.join("partial-test")).expect("it is there").count(), 0);
}

#[tokio::test]
async fn what_there_is_not_and_what_is_not_allowed_is_said() {
    let bench = bench();
    for (request, code) in [
        ("GET http://a.example/missing HTTP/1.1\r\n\r\n", "404"),
        ("GET http://b.example/pool/x.deb HTTP/1.1\r\n\r\n", "403"),
        ("GET http://a.example:8080/latest HTTP/1.1\r\n\r\n", "403"),
        ("GET /pool/x.deb HTTP/1.1\r\n\r\n", "400"),
        ("CONNECT a.example:443 HTTP/1.1\r\n\r\n", "405"),
        ("POST http://a.example/x HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", "400"),
        ("GET http://a.example/x\r\n\r\n", "400"),
        ("\x16\x03\x01 a.example\n\n", "400"),
    ] {
        let said = bench.raw(request.as_bytes()).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {code} ")), "{request}: {said}");
    }
    assert_eq!(bench.get("http://a.example/missing").await.matches("404").count(), 1);
    assert_eq!(bench.asked(), 1, "what is missing is asked for once");
}

#[tokio::test]
async fn requests_that_come_together_are_answered_in_their_order() {
    let bench = bench();
    let urls: Vec<String> = (0..10).map(|n| format!("http://a.example/pool/{n}.deb")).collect();
    let requests: String = urls.iter().map(|url| format!("GET {url} HTTP/1.1\r\n\r\n")).collect();
    let mut said = bench.raw(requests.as_bytes()).await;
    for url in &urls {
        let content = content(url);
        let begin = said.find(&content).expect("it was answered");
        assert!(begin < 300, "{url} came out of order");
        said.drain(..begin + content.len());
    }
    assert_eq!(said, "");
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let bench = bench();
    let said = bench.get(INDEX).await;
    let line = said.lines().find(|line| line.starts_with("Last-Modified: ")).expect("a date");
    let date = line.trim_start_matches("Last-Modified: ");
    let ask = format!("GET {INDEX} HTTP/1.1\r\nIf-Modified-Since: {date}\r\n\r\n");
    let said = bench.raw(ask.as_bytes()).await;
    assert!(said.starts_with("HTTP/1.1 304 ") && body(&said).is_empty(), "{said}");
    let head = bench.raw(format!("HEAD {INDEX} HTTP/1.1\r\n\r\n").as_bytes()).await;
    let length = format!("Content-Length: {}\r\n", content(INDEX).len());
    assert!(head.contains(&length) && body(&head).is_empty(), "{head}");
}

#[tokio::test]
async fn a_node_that_waits_for_a_slow_fetch_hears_that_it_goes_on() {
    let bench = bench();
    bench.gate.forget_permits(1000);
    let (mut ours, theirs) = duplex(1 << 20);
    let cache = bench.cache.clone();
    let patience = Duration::from_millis(1);
    let serving = tokio::spawn(async move { cache.connection_with(theirs, patience).await });
    let request = format!("GET {DEB} HTTP/1.1\r\nConnection: close\r\n\r\n");
    ours.write_all(request.as_bytes()).await.expect("it reads");
    let interim = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = vec![0; 3 * interim.len()];
    ours.read_exact(&mut said).await.expect("it says so");
    assert_eq!(said, interim.repeat(3));
    bench.gate.add_permits(1);
    let mut rest = String::new();
    ours.read_to_string(&mut rest).await.expect("it answers");
    let rest = rest.trim_start_matches(std::str::from_utf8(interim).expect("text"));
    assert!(rest.starts_with("HTTP/1.1 200 OK\r\n"), "{rest:.100}");
    serving.await.expect("no panic").expect("it ended well");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn nothing_that_a_node_says_breaks_the_proxy(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        pieces in prop::collection::vec(prop::sample::select(vec![
            "GET ", "http://a.example/", "missing", " HTTP/1.1", "\r\n", "\r\n\r\n", ":", "Host: a",
        ]), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async {
            let bench = bench();
            let (mut ours, theirs) = duplex(1 << 20);
            ours.write_all(pieces.concat().as_bytes()).await.expect("it fits");
            ours.write_all(&bytes).await.expect("it fits");
            drop(ours);
            let _broken = bench.cache.connection(theirs).await;
        });
    }
}
