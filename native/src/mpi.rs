//! MPI, found at run time: nothing is needed to build or to start without it. Two binary interfaces are known: that of Open MPI, whose
//! handles are addresses of symbols such as `ompi_mpi_comm_world`, and the standard one (MPI 5.0, section 20), whose handles are small
//! constants. At most one thread calls MPI at a time: the queue of the engine, or the exchange of bytes between two phases.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

type Handle = *mut c_void;

/// The functions that are called, with the handles and constants of the library's interface.
struct Mpi {
    init: unsafe extern "C" fn(*mut c_int, *mut c_void, c_int, *mut c_int) -> c_int,
    finalize: unsafe extern "C" fn() -> c_int,
    abort: unsafe extern "C" fn(Handle, c_int) -> c_int,
    rank: unsafe extern "C" fn(Handle, *mut c_int) -> c_int,
    size: unsafe extern "C" fn(Handle, *mut c_int) -> c_int,
    send: unsafe extern "C" fn(*const c_void, c_int, Handle, c_int, c_int, Handle, *mut Handle) -> c_int,
    receive: unsafe extern "C" fn(*mut c_void, c_int, Handle, c_int, c_int, Handle, *mut Handle) -> c_int,
    test: unsafe extern "C" fn(c_int, *mut Handle, *mut c_int, *mut c_void) -> c_int,
    world: Handle,
    byte: Handle,
    serialized: c_int,
    found: Found,
}

unsafe impl Send for Mpi {}
unsafe impl Sync for Mpi {}

/// What was found.
#[derive(Clone)]
pub struct Found {
    /// The name or path by which it was found.
    pub library: String,
    /// The first line of what the library says about itself.
    pub version: String,
    /// "Open MPI" or "standard".
    pub abi: &'static str,
}

/// One message: the member that it goes to or comes from, and its bytes.
pub struct Message {
    pub member: usize,
    pub data: *mut u8,
    pub bytes: usize,
}

unsafe impl Send for Message {}

static MPI: OnceLock<Mpi> = OnceLock::new();
/// Held during a call that exchanges something.
static TURN: Mutex<()> = Mutex::new(());

/// MPI counts with 32 bits: longer messages are sent in parts.
const MOST_BYTES: usize = 1 << 30;
const TAG: c_int = 21;

/// How long a member tests for messages without a pause, then with offers of its core to others; after that it sleeps in between.
const SPINNING: Duration = Duration::from_micros(50);
const YIELDING: Duration = Duration::from_millis(2);
const NAP: Duration = Duration::from_micros(100);

/// Loads the first of `candidates` that is an MPI library. A library stays loaded; a second call returns what the first one found.
pub fn open(candidates: &[String]) -> Result<Found, String> {
    if let Some(mpi) = MPI.get() {
        return Ok(mpi.found.clone());
    }
    let mut reasons = vec![];
    for candidate in candidates {
        match load(candidate) {
            Ok(mpi) => return Ok(MPI.get_or_init(|| mpi).found.clone()),
            Err(reason) => reasons.push(reason),
        }
    }
    Err(reasons.join("; "))
}

/// Starts MPI: the number of this member, and of all members.
pub fn start() -> Result<(usize, usize), String> {
    let mpi = opened()?;
    let _turn = TURN.lock().unwrap();
    let (mut provided, mut rank, mut size) = (0, 0, 0);
    unsafe {
        succeeded(
            "MPI_Init_thread",
            (mpi.init)(std::ptr::null_mut(), std::ptr::null_mut(), mpi.serialized, &mut provided),
        )?;
        succeeded("MPI_Comm_rank", (mpi.rank)(mpi.world, &mut rank))?;
        succeeded("MPI_Comm_size", (mpi.size)(mpi.world, &mut size))?;
    }
    if provided < mpi.serialized {
        return Err(format!("{} cannot be called from several threads", mpi.found.version));
    }
    Ok((rank as usize, size as usize))
}

/// Ends MPI, once all members do.
pub fn end() -> Result<(), String> {
    let mpi = opened()?;
    let _turn = TURN.lock().unwrap();
    unsafe { succeeded("MPI_Finalize", (mpi.finalize)()) }
}

/// Ends all members at once.
pub fn abort(code: i32) -> Result<(), String> {
    let mpi = opened()?;
    unsafe { succeeded("MPI_Abort", (mpi.abort)(mpi.world, code)) }
}

/// Sends and receives messages, and returns when all of them are through. Both sides must agree on their lengths.
pub fn exchange(sends: &[Message], receives: &[Message]) -> Result<(), String> {
    let mpi = opened()?;
    let _turn = TURN.lock().unwrap();
    let mut requests: Vec<Handle> = vec![];
    let parts = |message: &Message| {
        let Message { member, data, bytes } = *message;
        (0..bytes).step_by(MOST_BYTES).map(move |first| {
            (member as c_int, unsafe { data.add(first) }.cast::<c_void>(), MOST_BYTES.min(bytes - first) as c_int)
        })
    };
    for (member, data, count) in receives.iter().flat_map(parts) {
        let mut request = std::ptr::null_mut();
        let code = unsafe { (mpi.receive)(data, count, mpi.byte, member, TAG, mpi.world, &mut request) };
        succeeded("MPI_Irecv", code)?;
        requests.push(request);
    }
    for (member, data, count) in sends.iter().flat_map(parts) {
        let mut request = std::ptr::null_mut();
        let code = unsafe { (mpi.send)(data, count, mpi.byte, member, TAG, mpi.world, &mut request) };
        succeeded("MPI_Isend", code)?;
        requests.push(request);
    }
    // Not MPI_Waitall, which keeps a core busy: the member that the others wait for may need it.
    let since = Instant::now();
    loop {
        let mut done = 0;
        let code =
            unsafe { (mpi.test)(requests.len() as c_int, requests.as_mut_ptr(), &mut done, std::ptr::null_mut()) };
        succeeded("MPI_Testall", code)?;
        if done != 0 {
            return Ok(());
        }
        match since.elapsed() {
            waited if waited < SPINNING => std::hint::spin_loop(),
            waited if waited < YIELDING => std::thread::yield_now(),
            _ => std::thread::sleep(NAP),
        }
    }
}

/// The bytes of every member: on all members, or only on `root` (empty elsewhere).
pub fn gather(own: &[u8], root: Option<usize>) -> Result<Vec<Vec<u8>>, String> {
    let mpi = opened()?;
    let (mut rank, mut size) = (0, 0);
    unsafe {
        succeeded("MPI_Comm_rank", (mpi.rank)(mpi.world, &mut rank))?;
        succeeded("MPI_Comm_size", (mpi.size)(mpi.world, &mut size))?;
    }
    let (rank, size) = (rank as usize, size as usize);
    let others = || (0..size).filter(move |&member| member != rank);
    let targets = || others().filter(move |&member| root.is_none_or(|root| root == member));
    let sources = || others().filter(move |_| root.is_none_or(|root| root == rank));
    let mut length = (own.len() as u64).to_le_bytes();
    let mut lengths = vec![[0u8; 8]; size];
    let to = |bytes: &mut [u8]| (bytes.as_mut_ptr(), bytes.len());
    let (data, bytes) = to(&mut length);
    let sends: Vec<_> = targets().map(|member| Message { member, data, bytes }).collect();
    let receives: Vec<_> = sources()
        .map(|member| {
            let (data, bytes) = to(&mut lengths[member]);
            Message { member, data, bytes }
        })
        .collect();
    exchange(&sends, &receives)?;
    let mut all: Vec<Vec<u8>> = lengths.iter().map(|length| vec![0; u64::from_le_bytes(*length) as usize]).collect();
    let sends: Vec<_> =
        targets().map(|member| Message { member, data: own.as_ptr().cast_mut(), bytes: own.len() }).collect();
    let receives: Vec<_> = sources()
        .map(|member| {
            let (data, bytes) = to(&mut all[member]);
            Message { member, data, bytes }
        })
        .collect();
    exchange(&sends, &receives)?;
    all[rank] = own.to_vec();
    Ok(all)
}

fn opened() -> Result<&'static Mpi, String> {
    MPI.get().ok_or_else(|| "MPI is not loaded".into())
}

fn succeeded(function: &str, code: c_int) -> Result<(), String> {
    if code == 0 { Ok(()) } else { Err(format!("{function} returned the error {code}")) }
}

#[cfg(not(target_os = "linux"))]
fn load(candidate: &str) -> Result<Mpi, String> {
    Err(format!("{candidate}: MPI is only looked for on Linux"))
}

// A function's type is that of the field that it becomes.
#[allow(clippy::missing_transmute_annotations)]
#[cfg(target_os = "linux")]
fn load(candidate: &str) -> Result<Mpi, String> {
    let name = CString::new(candidate).map_err(|_| "a name with a zero byte".to_string())?;
    // Global, because the components that the library loads itself look up its symbols.
    let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW | libc::RTLD_GLOBAL) };
    if library.is_null() {
        let reason = unsafe { libc::dlerror() };
        let text = if reason.is_null() { "".into() } else { unsafe { CStr::from_ptr(reason) }.to_string_lossy() };
        return Err(if text.contains(candidate) { text.into() } else { format!("{candidate}: {text}") });
    }
    let address = |symbol: &str| {
        let name = CString::new(symbol).expect("a name without a zero byte");
        let found = unsafe { libc::dlsym(library, name.as_ptr()) };
        if found.is_null() { Err(format!("{candidate} has no {symbol}")) } else { Ok(found) }
    };
    let (abi, world, byte, serialized) = match address("ompi_mpi_comm_world") {
        Ok(world) => ("Open MPI", world, address("ompi_mpi_byte")?, 2),
        Err(_) => {
            let file = candidate.rsplit('/').next().unwrap_or(candidate);
            if !file.starts_with("libmpi_abi.") {
                return Err(format!("{candidate} is neither Open MPI nor libmpi_abi"));
            }
            address("MPI_Abi_get_version")?;
            ("standard", 0x101 as Handle, 0x247 as Handle, 2048)
        }
    };
    let library_version = address("MPI_Get_library_version")?;
    // The types are those of the MPI standard.
    unsafe {
        let library_version: unsafe extern "C" fn(*mut c_char, *mut c_int) -> c_int =
            std::mem::transmute(library_version);
        let (mut text, mut length) = (vec![0 as c_char; 8192], 0);
        succeeded("MPI_Get_library_version", library_version(text.as_mut_ptr(), &mut length))?;
        let text = CStr::from_ptr(text.as_ptr()).to_string_lossy();
        let version = text.lines().next().unwrap_or("").split(", package").next().unwrap_or("").trim();
        Ok(Mpi {
            init: std::mem::transmute::<Handle, _>(address("MPI_Init_thread")?),
            finalize: std::mem::transmute::<Handle, _>(address("MPI_Finalize")?),
            abort: std::mem::transmute::<Handle, _>(address("MPI_Abort")?),
            rank: std::mem::transmute::<Handle, _>(address("MPI_Comm_rank")?),
            size: std::mem::transmute::<Handle, _>(address("MPI_Comm_size")?),
            send: std::mem::transmute::<Handle, _>(address("MPI_Isend")?),
            receive: std::mem::transmute::<Handle, _>(address("MPI_Irecv")?),
            test: std::mem::transmute::<Handle, _>(address("MPI_Testall")?),
            world,
            byte,
            serialized,
            found: Found { library: candidate.into(), version: version.into(), abi },
        })
    }
}
