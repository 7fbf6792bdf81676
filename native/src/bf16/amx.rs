//! The Advanced Matrix Extensions: eight tiles of sixteen rows of 64 bytes; `tdpbf16ps` adds the products of a tile of 16 rows x 16
//! pairs and one of 16 pairs x 16 columns to a tile of sums (Intel's Software Developer's Manual, volume 1, chapter 18). Their
//! intrinsics are not in stable Rust, so the instructions are written down. Linux gives a process the tiles' state when asked.

use super::{BLOCK, COLUMNS, Packed, store};
use crate::matrix::{Matrix, part};
use std::arch::asm;
use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};
use std::sync::OnceLock;

const TILE: usize = 16;
/// Four tiles of sums: two of rows by two of columns.
const SIDE: usize = 2 * TILE;

pub fn is_available() -> bool {
    static AVAILABLE: OnceLock<bool> = OnceLock::new();
    *AVAILABLE.get_or_init(|| has_instructions() && may_use_tiles())
}

/// The processor has AMX-TILE and AMX-BF16 (leaf 7, EDX bits 24 and 22), and the system saves tiles (XCR0 bits 17 and 18).
fn has_instructions() -> bool {
    const OSXSAVE: u32 = 1 << 27;
    const INSTRUCTIONS: u32 = 1 << 24 | 1 << 22;
    const STATES: u64 = 1 << 17 | 1 << 18;
    if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 || !is_x86_feature_detected!("avx512f") {
        return false;
    }
    #[target_feature(enable = "xsave")]
    fn enabled() -> u64 {
        unsafe { _xgetbv(0) }
    }
    __cpuid_count(7, 0).edx & INSTRUCTIONS == INSTRUCTIONS && unsafe { enabled() } & STATES == STATES
}

/// Linux wants to be asked once per process (arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA).
#[cfg(target_os = "linux")]
fn may_use_tiles() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
    const XTILEDATA: libc::c_long = 18;
    unsafe { libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn may_use_tiles() -> bool {
    false
}

/// LDTILECFG's 64 bytes: palette 1, and all eight tiles with 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = {
    let mut row_bytes = [0; 16];
    let mut rows = [0; 16];
    let mut tile = 0;
    while tile < 8 {
        row_bytes[tile] = 64;
        rows[tile] = TILE as u8;
        tile += 1;
    }
    Configuration { palette: 1, start_row: 0, reserved: [0; 14], row_bytes, rows }
};

pub fn multiply(out: Matrix, left: Packed, right: Packed, accumulate: bool) {
    let pairs = left.pairs;
    unsafe { asm!("ldtilecfg [{}]", in(reg) &CONFIGURATION, options(nostack, readonly)) };
    let mut aside = [0.0f32; SIDE * SIDE];
    for column in (0..out.columns).step_by(SIDE) {
        let right = right.words[column * pairs..][..SIDE * pairs].as_ptr();
        let columns = SIDE.min(out.columns - column);
        for row in (0..out.rows).step_by(SIDE) {
            let left = left.words[row * pairs..][..SIDE * pairs].as_ptr();
            let rows = SIDE.min(out.rows - row);
            let whole = rows == SIDE && columns == SIDE;
            let (into, stride) = if whole { (out.at(row, column), out.stride) } else { (aside.as_mut_ptr(), SIDE) };
            unsafe { tiles(left, right, pairs, into, stride, whole && accumulate) };
            if !whole {
                store(part(out, row, column, rows, columns), &aside, SIDE, accumulate);
            }
        }
    }
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
}

/// [32, 32] at `out` = or += left right
unsafe fn tiles(left: *const u32, right: *const u32, pairs: usize, out: *mut f32, stride: usize, accumulate: bool) {
    let bytes = 4 * stride;
    let below = unsafe { out.add(TILE * stride) };
    unsafe {
        if accumulate {
            asm!(
                "tileloadd tmm0, [{out} + {bytes}*1]",
                "tileloadd tmm1, [{out} + {bytes}*1 + 64]",
                "tileloadd tmm2, [{below} + {bytes}*1]",
                "tileloadd tmm3, [{below} + {bytes}*1 + 64]",
                out = in(reg) out, below = in(reg) below, bytes = in(reg) bytes, options(nostack, readonly)
            );
        } else {
            asm!("tilezero tmm0", "tilezero tmm1", "tilezero tmm2", "tilezero tmm3", options(nostack, nomem));
        }
        asm!(
            "2:",
            "tileloadd tmm4, [{left} + {row}*1]",
            "tileloadd tmm6, [{right} + {row}*1]",
            "tileloadd tmm5, [{lower} + {row}*1]",
            "tileloadd tmm7, [{second} + {row}*1]",
            "tdpbf16ps tmm0, tmm4, tmm6",
            "tdpbf16ps tmm1, tmm4, tmm7",
            "tdpbf16ps tmm2, tmm5, tmm6",
            "tdpbf16ps tmm3, tmm5, tmm7",
            "add {left}, 1024",
            "add {lower}, 1024",
            "add {right}, 1024",
            "add {second}, 1024",
            "dec {blocks}",
            "jnz 2b",
            left = inout(reg) left => _,
            lower = inout(reg) left.add(TILE * pairs) => _,
            right = inout(reg) right => _,
            second = inout(reg) right.add(COLUMNS * pairs) => _,
            row = in(reg) 64usize,
            blocks = inout(reg) pairs / BLOCK => _,
            options(nostack, readonly)
        );
        asm!(
            "tilestored [{out} + {bytes}*1], tmm0",
            "tilestored [{out} + {bytes}*1 + 64], tmm1",
            "tilestored [{below} + {bytes}*1], tmm2",
            "tilestored [{below} + {bytes}*1 + 64], tmm3",
            out = in(reg) out, below = in(reg) below, bytes = in(reg) bytes, options(nostack)
        );
    }
}

/// The instructions in software, for processors without them: the kernel raises SIGILL, and what it stopped at is decoded and
/// done as the manual says (volume 2, LDTILECFG, TILELOADD, TILESTORED, TILEZERO, TDPBF16PS, TILERELEASE).
#[cfg(all(test, target_os = "linux"))]
pub mod emulated {
    use std::cell::RefCell;
    use std::sync::Once;

    type Tile = [[u32; 16]; 16];

    thread_local!(static TILES: RefCell<Option<[Tile; 8]>> = const { RefCell::new(None) });

    /// From here on, this process can run them.
    pub fn install() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            assert_eq!(libc::sigaction(libc::SIGILL, &action, std::ptr::null_mut()), 0);
        });
    }

    extern "C" fn handler(_signal: i32, _info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        let registers = &mut context.uc_mcontext.gregs;
        match unsafe { step(registers) } {
            Some(length) => registers[libc::REG_RIP as usize] += length,
            // Something else than an instruction of tiles.
            None => std::process::abort(),
        }
    }

    /// The registers by the numbers that instructions give them.
    const GENERAL: [i32; 16] = [
        libc::REG_RAX,
        libc::REG_RCX,
        libc::REG_RDX,
        libc::REG_RBX,
        libc::REG_RSP,
        libc::REG_RBP,
        libc::REG_RSI,
        libc::REG_RDI,
        libc::REG_R8,
        libc::REG_R9,
        libc::REG_R10,
        libc::REG_R11,
        libc::REG_R12,
        libc::REG_R13,
        libc::REG_R14,
        libc::REG_R15,
    ];

    /// Does the instruction; its length, or None where it is another.
    unsafe fn step(registers: &[i64]) -> Option<i64> {
        let code = registers[libc::REG_RIP as usize] as *const u8;
        let byte = |at: usize| unsafe { *code.add(at) };
        if byte(0) != 0xc4 || byte(1) & 0x1f != 2 {
            return None;
        }
        // VEX: the inverted bits R, X, B extend the register numbers; W, vvvv, L, pp.
        let extend = |bit: u8| if byte(1) & bit == 0 { 8 } else { 0 };
        let prefix = byte(2) & 3;
        let source = (!byte(2) >> 3 & 15) as usize;
        let (opcode, modrm) = (byte(3), byte(4));
        let (mode, reg, rm) = (modrm >> 6, (modrm >> 3 & 7) as usize, (modrm & 7) as usize);
        let general = |number: usize| registers[GENERAL[number] as usize];
        TILES.with_borrow_mut(|tiles| {
            if mode == 3 {
                match (opcode, prefix) {
                    (0x49, 0) => *tiles = None,
                    (0x49, 3) => tiles.as_mut()?[reg] = [[0; 16]; 16],
                    (0x5c, 2) => {
                        let tiles = tiles.as_mut()?;
                        let (a, b) = (tiles[rm], tiles[source]);
                        products(&mut tiles[reg], &a, &b);
                    }
                    _ => return None,
                }
                return Some(5);
            }
            let (base, index, mut length) = match rm {
                4 => {
                    let sib = byte(5);
                    let index = (sib >> 3 & 7) as usize + extend(0x40);
                    let stride = if index == 4 { 0 } else { general(index) << (sib >> 6) };
                    (general((sib & 7) as usize + extend(0x20)), stride, 6)
                }
                _ => (general(rm + extend(0x20)), 0, 5),
            };
            let displacement = match mode {
                1 => {
                    length += 1;
                    byte(length - 1) as i8 as i64
                }
                2 => {
                    length += 4;
                    i32::from_le_bytes(std::array::from_fn(|b| byte(length - 4 + b))) as i64
                }
                _ => 0,
            };
            let address = base + displacement;
            match (opcode, prefix) {
                (0x49, 0) => {
                    let configuration = unsafe { &*(address as *const super::Configuration) };
                    assert!(configuration.palette == 1 && configuration.rows[..8] == [16; 8]);
                    assert!(configuration.row_bytes[..8] == [64; 8]);
                    *tiles = Some([[[0; 16]; 16]; 8]);
                }
                (0x4b, 3) | (0x4b, 2) => {
                    for (r, row) in tiles.as_mut()?[reg].iter_mut().enumerate() {
                        let at = (address + r as i64 * index) as *mut [u32; 16];
                        if prefix == 3 {
                            *row = unsafe { at.read_unaligned() };
                        } else {
                            unsafe { at.write_unaligned(*row) };
                        }
                    }
                }
                _ => return None,
            }
            Some(length as i64)
        })
    }

    fn products(sums: &mut Tile, a: &Tile, b: &Tile) {
        let [low, high] = [|x: u32| f32::from_bits(x << 16), |x: u32| f32::from_bits(x & 0xffff_0000)];
        for (sums, a) in sums.iter_mut().zip(a) {
            for (c, sum) in sums.iter_mut().enumerate() {
                let mut total = f32::from_bits(*sum);
                for (p, &a) in a.iter().enumerate() {
                    total = low(a).mul_add(low(b[p][c]), total);
                    total = high(a).mul_add(high(b[p][c]), total);
                }
                *sum = total.to_bits();
            }
        }
    }
}
