//! As much of ELF as is needed to put an image where it belongs.

use super::NotBootable;

/// A 64-bit little-endian executable.
pub(super) struct Elf<'a> {
    bytes: &'a [u8],
}

/// A program header's type: it is loaded.
const LOAD: u32 = 1;

/// A table of headers: offset of the first, length of one, how many.
struct Table {
    offset: usize,
    step: usize,
    count: usize,
}

impl<'a> Elf<'a> {
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotBootable> {
        // Magic, 64 bit, little-endian.
        if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
            return Err(NotBootable::because("it is no 64-bit ELF"));
        }
        Ok(Self { bytes })
    }

    /// The first instruction's address; 0 where the header is cut off.
    pub fn entry(&self) -> u64 {
        self.u64(24).unwrap_or_default()
    }

    /// The content of a section.
    pub fn section(&self, name: &str) -> Result<Option<&'a [u8]>, NotBootable> {
        let table = self.table(40, 58)?;
        let names_index = usize::from(self.u16(62)?);
        let header = |index: usize| table.offset + index * table.step;
        let content = |header: usize| {
            let (offset, bytes) = (self.size(header + 24)?, self.size(header + 32)?);
            self.range(offset, bytes)
        };
        if names_index >= table.count {
            return Ok(None);
        }
        let names = content(header(names_index))?;
        for index in 0..table.count {
            let at = self.u32(header(index))? as usize;
            let is_it = names.get(at..).and_then(|rest| rest.split(|byte| *byte == 0).next());
            if is_it == Some(name.as_bytes()) {
                return content(header(index)).map(Some);
            }
        }
        Ok(None)
    }

    /// Everything that is loaded, as it lies in memory, and where that begins. What is only
    /// reserved is not there.
    pub fn memory(&self) -> Result<(u64, Vec<u8>), NotBootable> {
        let table = self.table(32, 54)?;
        let mut parts = Vec::new();
        for index in 0..table.count {
            let header = table.offset + index * table.step;
            if self.u32(header)? == LOAD {
                let content = self.range(self.size(header + 8)?, self.size(header + 32)?)?;
                parts.push((self.u64(header + 24)?, content));
            }
        }
        parts.retain(|(_, content)| !content.is_empty());
        let begin = parts.iter().map(|(place, _)| *place).min();
        let begin = begin.ok_or_else(|| NotBootable::because("nothing of it is loaded"))?;
        let mut memory = Vec::new();
        for (place, content) in parts {
            let at = usize::try_from(place - begin).ok().filter(|at| *at < self.far());
            let at = at.ok_or_else(|| NotBootable::because("its parts lie far from each other"))?;
            let end = at + content.len();
            memory.resize(memory.len().max(end), 0);
            memory[at..end].copy_from_slice(content);
        }
        Ok((begin, memory))
    }

    /// Parts of an image that is loaded as one piece lie no farther apart than this.
    fn far(&self) -> usize {
        self.bytes.len().saturating_mul(16)
    }

    /// The table whose place stands at one offset of the file's header, and whose step and count
    /// at another.
    fn table(&self, place: usize, form: usize) -> Result<Table, NotBootable> {
        Ok(Table {
            offset: self.size(place)?,
            step: usize::from(self.u16(form)?),
            count: usize::from(self.u16(form + 2)?),
        })
    }

    fn range(&self, offset: usize, bytes: usize) -> Result<&'a [u8], NotBootable> {
        let cut = || NotBootable::because(format!("it is cut off at byte {}", self.bytes.len()));
        let end = offset.checked_add(bytes).ok_or_else(cut)?;
        self.bytes.get(offset..end).ok_or_else(cut)
    }

    fn number<const N: usize>(&self, at: usize) -> Result<[u8; N], NotBootable> {
        let mut number = [0; N];
        number.copy_from_slice(self.range(at, N)?);
        Ok(number)
    }

    fn u16(&self, at: usize) -> Result<u16, NotBootable> {
        self.number(at).map(u16::from_le_bytes)
    }

    fn u32(&self, at: usize) -> Result<u32, NotBootable> {
        self.number(at).map(u32::from_le_bytes)
    }

    fn u64(&self, at: usize) -> Result<u64, NotBootable> {
        self.number(at).map(u64::from_le_bytes)
    }

    fn size(&self, at: usize) -> Result<usize, NotBootable> {
        usize::try_from(self.u64(at)?).map_err(|_| NotBootable::because("it is larger than memory"))
    }
}
