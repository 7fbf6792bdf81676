//! The engine's memory: blocks of one element type each, aligned for vectors; released blocks are kept for reuse. The JavaScript
//! thread does the bookkeeping; kernels hold pointers, and a block is only reused or freed in the order of the queue.

use crate::element::Element;
use std::alloc::{Layout, alloc, dealloc};
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Released blocks are kept up to this number of bytes, or up to the bytes in use.
const KEPT_BYTES: usize = 64 << 20;
const CACHE_LINE: usize = 64;
const HUGE_PAGE: usize = 2 << 20;

/// A block of `length` elements. Capacities are counted in words of four bytes, so that any element type can reuse a block.
#[derive(Clone, Copy)]
pub struct Block {
    pub data: *mut u8,
    pub length: usize,
    pub element: Element,
    capacity: usize,
}

unsafe impl Send for Block {}

#[derive(Default)]
struct State {
    blocks: Vec<Option<Block>>,
    vacant: Vec<u32>,
    free: BTreeMap<usize, Vec<Block>>,
    used_bytes: usize,
    free_bytes: usize,
}

#[derive(Default)]
pub struct Memory(Mutex<State>);

impl Memory {
    /// A block of at least `length` elements, contents undefined: its number.
    pub fn allocate(&self, length: usize, element: Element) -> Result<u32, String> {
        let mut state = self.0.lock().unwrap();
        let capacity = size_class(length.saturating_mul(element.bytes()).div_ceil(4));
        let reused = state.free.get_mut(&capacity).and_then(Vec::pop);
        let data = match reused {
            Some(block) => {
                state.free_bytes -= bytes(capacity);
                block.data
            }
            None => map(capacity)?,
        };
        state.used_bytes += bytes(capacity);
        let block = Some(Block { data, length, element, capacity });
        if let Some(number) = state.vacant.pop() {
            state.blocks[number as usize] = block;
            return Ok(number);
        }
        state.blocks.push(block);
        Ok(state.blocks.len() as u32 - 1)
    }

    pub fn block(&self, number: u32) -> Option<Block> {
        self.0.lock().unwrap().blocks.get(number as usize).copied().flatten()
    }

    /// Keeps the block for reuse, or returns it if enough are kept; it must then be freed in the order of the queue.
    pub fn release(&self, number: u32) -> Result<Option<Block>, String> {
        let mut state = self.0.lock().unwrap();
        let block = state.blocks.get_mut(number as usize).and_then(Option::take).ok_or("release: no such block")?;
        state.vacant.push(number);
        let size = bytes(block.capacity);
        state.used_bytes -= size;
        if state.free_bytes + size > KEPT_BYTES.max(state.used_bytes) {
            return Ok(Some(block));
        }
        state.free_bytes += size;
        state.free.entry(block.capacity).or_default().push(block);
        Ok(None)
    }

    /// Allocated bytes, including reusable blocks.
    pub fn bytes(&self) -> usize {
        let state = self.0.lock().unwrap();
        state.used_bytes + state.free_bytes
    }

    /// Frees everything. Nothing in the queue may follow.
    pub fn clear(&self) {
        let mut state = self.0.lock().unwrap();
        let free = std::mem::take(&mut state.free);
        let blocks = std::mem::take(&mut state.blocks);
        state.vacant.clear();
        state.used_bytes = 0;
        state.free_bytes = 0;
        drop(state);
        free.into_values().flatten().chain(blocks.into_iter().flatten()).for_each(unmap);
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Frees a block that `release` returned.
pub fn unmap(block: Block) {
    unsafe { dealloc(block.data, layout(block.capacity)) }
}

/// A copy, or an error message if memory runs out, where `to_vec` would abort the process.
pub fn copied<T: Copy>(data: &[T]) -> Result<Vec<T>, String> {
    let mut copy = room(data.len())?;
    copy.extend_from_slice(data);
    Ok(copy)
}

/// An empty vector with capacity for `length` elements, or an error message if memory runs out.
pub fn room<T>(length: usize) -> Result<Vec<T>, String> {
    let mut vector = Vec::new();
    vector.try_reserve_exact(length).map_err(|_| exhausted(length.saturating_mul(size_of::<T>())))?;
    Ok(vector)
}

/// JavaScript recognises a lack of memory by the first three words.
fn exhausted(bytes: usize) -> String {
    format!("out of memory: {} MiB more could not be allocated", bytes.div_ceil(1 << 20))
}

/// Four sizes per power of two, as in compute/shapes.ts, so that batches of varying size share a few blocks.
fn size_class(length: usize) -> usize {
    let length = length.max(CACHE_LINE / 4);
    let step = (1usize << length.ilog2()) >> 2;
    length.div_ceil(step) * step
}

fn bytes(capacity: usize) -> usize {
    4 * capacity
}

fn layout(capacity: usize) -> Layout {
    let size = bytes(capacity);
    let align = if size >= 2 * HUGE_PAGE { HUGE_PAGE } else { CACHE_LINE };
    Layout::from_size_align(size, align).expect("a size below 2^63")
}

fn map(capacity: usize) -> Result<*mut u8, String> {
    if capacity > isize::MAX as usize / 8 {
        return Err(exhausted(capacity.saturating_mul(4)));
    }
    let layout = layout(capacity);
    let data = unsafe { alloc(layout) };
    if data.is_null() {
        return Err(exhausted(layout.size()));
    }
    // Larger pages give fewer TLB misses when a product strides through a matrix.
    #[cfg(target_os = "linux")]
    if layout.align() == HUGE_PAGE {
        unsafe { libc::madvise(data.cast(), layout.size(), libc::MADV_HUGEPAGE) };
    }
    Ok(data)
}
