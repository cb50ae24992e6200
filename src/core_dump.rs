//! What a process holds in memory when it dies (keys, passwords, records) goes into no core dump.

use changtong_catalog::error::{Code, Refusal};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Bytes that a dump may have: too few for a file. Where the system hands dumps to a program (`kernel.core_pattern`
/// begins with `|`), Linux looks at no limit but this one, which means none; 0 would not (core(5)).
const MOST: u64 = 1;

/// From here on neither this process nor what it starts leaves one.
pub fn keep_none() -> Result<(), Refusal> {
    let most = getrlimit(Resource::Core).maximum.map_or(MOST, |most| most.min(MOST));
    let limit = Rlimit { current: Some(most), maximum: Some(most) };
    let kept = setrlimit(Resource::Core, limit);
    kept.and_then(|()| if most == 0 { never_dumpable() } else { Ok(()) }).map_err(|error| {
        Refusal::new(
            Code::Internal,
            format!("无法禁止核心转储,密钥可能被写入磁盘:{error}"),
            format!("core dumps cannot be turned off, and keys could be written to disk: {error}"),
        )
    })
}

/// Where the hard limit is 0 already, the limit cannot be the one that such a program is kept off by.
#[cfg(target_os = "linux")]
fn never_dumpable() -> Result<(), Errno> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)
}

#[cfg(not(target_os = "linux"))]
fn never_dumpable() -> Result<(), Errno> {
    Ok(())
}
