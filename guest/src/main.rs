//! The guest of precopy-lab: a program without an operating system that fills memory, touches
//! its pages at a set pace, tells the observer that it lives, and knows what every page must
//! hold; and the same of a disk, where it has one. One processor, one network card; everything
//! happens in one loop that halts when nothing is due.
#![no_std]
#![no_main]

mod boot;
mod clock;
mod console;
mod disk;
mod interrupts;
mod memory;
mod network;
mod nic;
mod paging;
mod pci;
mod port;
mod probe;
mod session;
mod timer;
mod verify;
mod virtio;
mod workload;

use boot::BootInfo;
use clock::Clock;
use disk::Disk;
use memory::Memory;
use network::Network;
use nic::Nic;
use pci::Ports;
use session::Session;
use timer::Timer;
use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::PciRoot;

/// The longest that a datagram waits to be looked at, and that touches gather.
const TICK_NS: u64 = 1_000_000;

/// Called by the boot code with the contents of EAX and EBX at entry.
#[unsafe(no_mangle)]
extern "C" fn main(magic: u32, loader_information: u64) -> ! {
    let image_checksum = memory::image_checksum();
    interrupts::install();
    // SAFETY: the boot code passes on what the loader left, and nothing but the image's own
    // zero-initialised data has been written since.
    let info = unsafe { BootInfo::read(magic, loader_information) };
    // SAFETY: once, and the loader's information has been copied.
    let mut memory = unsafe { Memory::divide(&info) };
    let mut clock = Clock::start();
    if let Some(mebibytes) = info.argument("probe") {
        probe::run(mebibytes, &mut memory.region, &mut clock);
    }
    let timer = Timer::start(&mut clock);
    let mut root = PciRoot::new(Ports);
    let [nic, disk] = pci::find(&mut root, [DeviceType::Network, DeviceType::Block]);
    let Some(nic) = nic else { panic!("no virtio network card found") };
    // SAFETY: once each.
    let (nic, disk) =
        unsafe { (Nic::start(&mut root, nic), disk.map(|device| Disk::start(&mut root, device))) };
    let session = Session::new(memory, disk, image_checksum, clock.now_ns());
    run(Network::new(nic), session, clock, timer)
}

/// Beats, answers, works; sleeps until the next beat or tick when nothing is due.
fn run(mut network: Network, mut session: Session, mut clock: Clock, mut timer: Timer) -> ! {
    loop {
        let now_ns = clock.now_ns();
        let tick_ns = now_ns + TICK_NS;
        if let Some((to, beat)) = session.beat(now_ns) {
            network.send(to, &beat);
        }
        while let Some((from, message)) = network.receive() {
            if let Some(answer) = session.request(from, &message, clock.now_ns()) {
                network.send(from, &answer);
            }
        }

        let wake_ns = session.next_beat_ns().map_or(tick_ns, |beat_ns| beat_ns.min(tick_ns));
        loop {
            let now_ns = clock.now_ns();
            if now_ns >= wake_ns {
                break;
            }
            if let Some((to, verified)) = session.check(now_ns) {
                network.send(to, &verified);
            }
            if !session.work(now_ns) {
                timer.sleep(now_ns, wake_ns);
                break;
            }
        }
    }
}
