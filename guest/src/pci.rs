//! PCI configuration through the ports 0xcf8 and 0xcfc, which every PC has.

use virtio_drivers::transport::DeviceType;
use virtio_drivers::transport::pci::bus::{
    BarInfo, Command, ConfigurationAccess, DeviceFunction, MemoryBarType, PciRoot,
};
use virtio_drivers::transport::pci::virtio_device_type;

use crate::port;

const ADDRESS: u16 = 0xcf8;
const DATA: u16 = 0xcfc;
const ENABLE: u32 = 1 << 31;
/// Buses looked at: Proxmox puts devices behind bridges on low-numbered ones.
const BUSES: u8 = 8;

/// Where registers go that the firmware has given no address: between the most RAM that lies below
/// 4 GiB and what the chipset keeps for itself, on `pc` and `q35` alike.
const REGISTERS: u64 = 0xe000_0000;

/// Access to configuration space; there is one processor, so address and data stay together.
pub struct Ports;

impl Ports {
    fn select(device: DeviceFunction, register: u8) {
        let address = ENABLE
            | u32::from(device.bus) << 16
            | u32::from(device.device) << 11
            | u32::from(device.function) << 8
            | u32::from(register & !3);
        // SAFETY: selects a register and does nothing else.
        unsafe { port::write_u32(ADDRESS, address) };
    }
}

impl ConfigurationAccess for Ports {
    fn read_word(&self, device: DeviceFunction, register: u8) -> u32 {
        Self::select(device, register);
        // SAFETY: reading configuration space changes nothing.
        unsafe { port::read_u32(DATA) }
    }

    fn write_word(&mut self, device: DeviceFunction, register: u8, value: u32) {
        Self::select(device, register);
        // SAFETY: virtio-drivers writes only to sizes of BARs and back, and we to the command
        // register and to BARs without an address: no device is thereby made to touch memory
        // not given to it.
        unsafe { port::write_u32(DATA, value) };
    }

    unsafe fn unsafe_clone(&self) -> Self {
        Self
    }
}

/// Finds the first virtio device of each kind and lets it reach memory.
pub fn find<const KINDS: usize>(
    root: &mut PciRoot<Ports>,
    kinds: [DeviceType; KINDS],
) -> [Option<DeviceFunction>; KINDS] {
    let mut found = [None; KINDS];
    // All in one walk over the buses: each look at a place costs an exit to the host.
    for (device, info) in (0..BUSES).flat_map(|bus| root.enumerate_bus(bus)) {
        let kind = virtio_device_type(&info);
        let slot = kinds.iter().position(|wanted| kind == Some(*wanted));
        if let Some(slot) = slot.filter(|slot| found[*slot].is_none()) {
            found[slot] = Some(device);
        }
    }
    let mut registers = REGISTERS;
    for device in found.into_iter().flatten() {
        place_registers(root, device, &mut registers);
        let (_, command) = root.get_status_command(device);
        // The guest polls: the device need not interrupt.
        let wanted = Command::MEMORY_SPACE | Command::BUS_MASTER | Command::INTERRUPT_DISABLE;
        root.set_command(device, command | wanted);
    }
    found
}

/// Gives an address, from `next` on, to every memory BAR of a device that has none: a firmware
/// that only starts a kernel (qboot) leaves that to the kernel.
fn place_registers(root: &mut PciRoot<Ports>, device: DeviceFunction, next: &mut u64) {
    let Ok(bars) = root.bars(device) else { return };
    for (index, bar) in (0..).zip(bars) {
        let Some(BarInfo::Memory { address_type, address: 0, size, .. }) = bar else { continue };
        // A BAR lies at a multiple of its size, which is a power of two.
        let address = next.next_multiple_of(size.max(1));
        *next = address + size;
        match address_type {
            MemoryBarType::Width64 => root.set_bar_64(device, index, address),
            MemoryBarType::Width32 | MemoryBarType::Below1MiB => {
                root.set_bar_32(device, index, address as u32);
            }
        }
    }
}
