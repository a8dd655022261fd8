//! What the monitor says in words, as `query-migrate` says it.

use super::InfoMigrate;
use crate::hypervisor::proxmox::migration_log::Size;
use serde_json::{Map, Value};

impl InfoMigrate {
    /// As an answer to `query-migrate`, with what was said and nothing else. Sizes are as exact as
    /// the words: to a KiB up to QEMU 10.0, three digits since.
    #[must_use]
    pub fn as_query_migrate(&self) -> Value {
        let bytes = |size: Option<Size>| size.map(|size| Value::from(size.bytes));
        let number = |number: Option<u64>| number.map(Value::from);
        let object = |fields: Vec<(&str, Option<Value>)>| {
            let there = fields.into_iter().filter_map(|(k, v)| Some((k.to_owned(), v?)));
            there.collect::<Map<_, _>>()
        };
        let ram = object(vec![
            ("transferred", bytes(self.transferred)),
            ("remaining", bytes(self.remaining)),
            ("total", bytes(self.total)),
            ("mbps", self.throughput_mbps.map(Value::from)),
            ("duplicate", number(self.zero_pages)),
            ("normal", number(self.normal_pages)),
            ("dirty-sync-count", number(self.dirty_syncs)),
            ("page-size", number(self.page_size_bytes)),
            ("pages-per-second", number(self.pages_per_second)),
            ("dirty-pages-rate", number(self.dirty_pages_per_second)),
        ]);
        let xbzrle = object(vec![
            ("pages", number(self.xbzrle_pages)),
            ("bytes", number(self.xbzrle_bytes)),
            ("cache-miss", number(self.xbzrle_cache_miss_pages)),
            ("overflow", number(self.xbzrle_overflow)),
        ]);
        let part = |part: Map<String, Value>| (!part.is_empty()).then_some(Value::Object(part));
        Value::Object(object(vec![
            ("status", self.status.clone().map(Value::from)),
            ("error-desc", self.error.clone().map(Value::from)),
            ("total-time", number(self.total_time_ms)),
            ("setup-time", number(self.setup_ms)),
            ("expected-downtime", number(self.expected_downtime_ms)),
            ("downtime", number(self.downtime_ms)),
            ("cpu-throttle-percentage", number(self.cpu_throttle_percent)),
            ("ram", part(ram)),
            ("xbzrle-cache", part(xbzrle)),
        ]))
    }
}
