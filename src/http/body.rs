//! Bodies: read piece by piece under limits of size, decompressed size, ratio and time, each with its own named error,
//! and decompressed on the way. Nothing is held beyond the budget of bytes in flight.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_compression::tokio::bufread::{GzipDecoder, ZstdDecoder};
use async_compression::zstd::DParameter;
use axum::body::{Body, Bytes};
use changtong_catalog::error::{Code, Refusal};
use changtong_connectors::gate::{Body as Held, Budget};
use futures::{Stream, StreamExt as _, TryStreamExt as _};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::Instant;
use tokio_util::io::StreamReader;

/// What a body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes as they arrive.
    pub arriving: Bound,
    /// Bytes once decompressed.
    pub decompressed: Bound,
    /// How many times larger than it arrived.
    pub ratio: usize,
    /// How long the next piece may take.
    pub pause: Duration,
    /// Bytes a second: the whole may take `pause`, and a second for each so many bytes that arrived.
    pub rate: usize,
}

/// A number of bytes, and the setting that says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound(pub usize, pub &'static str);

/// A zstd frame may ask its reader for this much memory: 2^23 bytes.
const ZSTD_WINDOW_LOG: u32 = 23;
/// A small body may grow by more than the ratio: 100 bytes of gzip may well be 20 KiB of text.
const RATIO_FREE: usize = 1 << 20;
const PIECE: usize = 64 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Identity,
    Gzip,
    Zstd,
}

/// Reads and decompresses a body.
pub async fn read(
    headers: &HeaderMap,
    body: Body,
    limits: BodyLimits,
    budget: &Budget,
) -> Result<Held, Refusal> {
    let coding = coding(headers)?;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if let Some(length) = announced.filter(|length| *length > limits.arriving.0) {
        return Err(announced_too_large(limits.arriving, length));
    }
    let arrived = Arc::new(AtomicUsize::new(0));
    let pieces = StreamReader::new(Box::pin(bounded(body, limits, arrived.clone())));
    let mut reader: Pin<Box<dyn AsyncRead + Send>> = match coding {
        Coding::Identity => Box::pin(pieces),
        Coding::Gzip => {
            let mut decoder = GzipDecoder::new(pieces);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
        Coding::Zstd => {
            let window = DParameter::window_log_max(ZSTD_WINDOW_LOG);
            let mut decoder = ZstdDecoder::with_params(pieces, &[window]);
            decoder.multiple_members(true);
            Box::pin(decoder)
        }
    };
    let mut held = budget.take(0)?;
    let mut bytes = Vec::with_capacity(announced.unwrap_or(0).min(PIECE));
    loop {
        let before = bytes.len();
        let mut piece = (&mut reader).take(PIECE as u64);
        if piece.read_to_end(&mut bytes).await.map_err(cause)? == 0 {
            break;
        }
        if bytes.len() > limits.decompressed.0 {
            return Err(decompressed_too_large(limits.decompressed, bytes.len()));
        }
        let allowed = arrived.load(Ordering::Relaxed).saturating_mul(limits.ratio).max(RATIO_FREE);
        if coding != Coding::Identity && bytes.len() > allowed {
            return Err(ratio_too_large(limits.ratio));
        }
        held.grow((bytes.len() - before) as u64)?;
    }
    Ok(Held { bytes: Bytes::from(bytes), held })
}

fn coding(headers: &HeaderMap) -> Result<Coding, Refusal> {
    let mut values = headers.get_all(CONTENT_ENCODING).into_iter();
    let Some(value) = values.next() else { return Ok(Coding::Identity) };
    match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        _ if values.next().is_some() => {}
        "identity" | "" => return Ok(Coding::Identity),
        "gzip" | "x-gzip" => return Ok(Coding::Gzip),
        "zstd" => return Ok(Coding::Zstd),
        _ => {}
    }
    Err(Refusal::new(
        Code::UnsupportedMediaType,
        "Content-Encoding 只能是 gzip 或 zstd 之一",
        "Content-Encoding must be one of gzip and zstd",
    )
    .with("header", "Content-Encoding"))
}

/// The arriving pieces, counted, each within its time and all within the time of so many.
fn bounded(
    body: Body,
    limits: BodyLimits,
    arrived: Arc<AtomicUsize>,
) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let pieces = body.into_data_stream().map_err(|_| broken());
    let began = Instant::now();
    futures::stream::unfold(Box::pin(pieces), move |mut pieces| {
        let arrived = arrived.clone();
        async move {
            let earned = arrived.load(Ordering::Relaxed) as f64 / limits.rate as f64;
            let whole = began + limits.pause + Duration::from_secs_f64(earned);
            let pause = Instant::now() + limits.pause;
            let piece = match tokio::time::timeout_at(pause.min(whole), pieces.next()).await {
                Err(_) if whole < pause => Err(too_slow(limits.rate)),
                Err(_) => Err(timed_out(limits.pause)),
                Ok(None) => return None,
                Ok(Some(Err(refusal))) => Err(refusal),
                Ok(Some(Ok(piece))) => {
                    let sum = arrived.fetch_add(piece.len(), Ordering::Relaxed) + piece.len();
                    if sum > limits.arriving.0 { Err(too_large(limits.arriving, sum)) } else { Ok(piece) }
                }
            };
            Some((piece.map_err(io::Error::other), pieces))
        }
    })
}

/// Our own refusal inside the reader's error, or a body that does not decompress.
fn cause(error: io::Error) -> Refusal {
    let kind = error.kind();
    match error.into_inner().map(|inner| inner.downcast::<Refusal>()) {
        Some(Ok(refusal)) => *refusal,
        _ => Refusal::new(
            Code::BadRequest,
            "请求体无法按 Content-Encoding 解压(数据损坏或不完整)",
            "the body does not decompress as Content-Encoding says (damaged or cut off)",
        )
        .with("reason", kind.to_string()),
    }
}

fn broken() -> Refusal {
    Refusal::new(Code::BadRequest, "请求体未传完,连接已断", "the body broke off before its end")
}

fn timed_out(pause: Duration) -> Refusal {
    Refusal::new(
        Code::RequestTimeout,
        format!("请求体停顿超过 {} 秒", pause.as_secs_f64()),
        format!("the body paused for more than {} seconds", pause.as_secs_f64()),
    )
    .with("limit", "http.body_timeout")
}

fn too_slow(rate: usize) -> Refusal {
    Refusal::new(
        Code::RequestTimeout,
        format!("请求体到达过慢,平均每秒不足 {rate} 字节"),
        format!("the body arrives too slowly, at less than {rate} bytes a second on the whole"),
    )
    .with("limit", "http.body_rate")
    .with("value", rate)
}

fn announced_too_large(Bound(most, limit): Bound, actual: usize) -> Refusal {
    Refusal::new(
        Code::BodyTooLarge,
        format!("请求体有 {actual} 字节,超过 {most} 字节;请分批发送"),
        format!("the body has {actual} bytes, more than {most}; send it in parts"),
    )
    .with("limit", limit)
    .with("value", most)
    .with("actual", actual)
}

/// Of unknown length: what follows is not read, so nobody knows how much it is.
fn too_large(Bound(most, limit): Bound, read: usize) -> Refusal {
    Refusal::new(
        Code::BodyTooLarge,
        format!("请求体至少有 {read} 字节,超过 {most} 字节;请分批发送"),
        format!("the body has at least {read} bytes, more than {most}; send it in parts"),
    )
    .with("limit", limit)
    .with("value", most)
    .with("at_least", read)
}

fn decompressed_too_large(Bound(most, limit): Bound, read: usize) -> Refusal {
    Refusal::new(
        Code::DecompressedTooLarge,
        format!("请求体解压后至少有 {read} 字节,超过 {most} 字节;请分批发送"),
        format!("the body has at least {read} bytes once decompressed, more than {most}; send it in parts"),
    )
    .with("limit", limit)
    .with("value", most)
    .with("at_least", read)
}

fn ratio_too_large(most: usize) -> Refusal {
    Refusal::new(
        Code::DecompressedTooLarge,
        format!("请求体解压后膨胀超过 {most} 倍"),
        format!("the body grows more than {most} times when decompressed"),
    )
    .with("limit", "limits.ratio")
    .with("value", most)
}

#[cfg(test)]
mod tests;
