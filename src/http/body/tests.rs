//! Bodies at and beyond every limit.

use async_compression::tokio::write::{GzipEncoder, ZstdEncoder};
use http::HeaderValue;
use tokio::io::AsyncWriteExt as _;

use super::*;

const LIMITS: BodyLimits = BodyLimits {
    arriving: Bound(4 << 20, "limits.body"),
    decompressed: Bound(8 << 20, "limits.decompressed"),
    ratio: 100,
    pause: Duration::from_millis(50),
    rate: 1000,
};

fn headers(coding: Option<&'static str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(coding) = coding {
        headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
    }
    headers
}

async fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzipEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    encoder.write_all(bytes).await.unwrap();
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

async fn send(coding: Option<&'static str>, bytes: Vec<u8>) -> Result<Bytes, Code> {
    let budget = Budget::new(64 << 20);
    let read = read(&headers(coding), Body::from(bytes), LIMITS, &budget).await;
    let answer = read.map(|body| body.bytes).map_err(|refusal| refusal.code);
    assert_eq!(budget.held(), 0, "the share of the budget was not given back");
    answer
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn each_coding_is_read_back() {
    let text = b"flights\n".repeat(1000);
    assert_eq!(send(None, text.clone()).await.unwrap(), text);
    assert_eq!(send(Some("gzip"), gzip(&text).await).await.unwrap(), text);
    assert_eq!(send(Some("zstd"), zstd(&text).await).await.unwrap(), text);
    assert_eq!(send(Some("br"), text).await, Err(Code::UnsupportedMediaType));
}

#[tokio::test]
async fn sizes_are_bounded_to_the_byte() {
    assert_eq!(send(None, vec![b'x'; LIMITS.arriving.0]).await.unwrap().len(), LIMITS.arriving.0);
    assert_eq!(send(None, vec![b'x'; LIMITS.arriving.0 + 1]).await, Err(Code::BodyTooLarge));
    let mut announced = headers(None);
    announced.insert(CONTENT_LENGTH, HeaderValue::from(LIMITS.arriving.0 + 1));
    let refused = read(&announced, Body::empty(), LIMITS, &Budget::new(1)).await.unwrap_err();
    assert_eq!(refused.code, Code::BodyTooLarge);
}

#[tokio::test]
async fn bombs_are_stopped_while_they_open() {
    let zeros = vec![0; 256 << 20];
    assert_eq!(send(Some("gzip"), gzip(&zeros).await).await, Err(Code::DecompressedTooLarge));
    assert_eq!(send(Some("zstd"), zstd(&zeros).await).await, Err(Code::DecompressedTooLarge));
    let inside = [noise(3 << 20), vec![b'a'; 4 << 20]].concat();
    assert_eq!(send(Some("gzip"), gzip(&inside).await).await.unwrap().len(), inside.len());
}

#[tokio::test]
async fn damaged_and_cut_off_bodies_are_refused() {
    let mut packed = gzip(&noise(10_000)).await;
    packed.truncate(5_000);
    assert_eq!(send(Some("gzip"), packed).await, Err(Code::BadRequest));
    assert_eq!(send(Some("zstd"), b"not zstd".to_vec()).await, Err(Code::BadRequest));
}

#[tokio::test]
async fn a_body_that_stops_arriving_is_given_up() {
    let stream = futures::stream::once(async { Ok::<_, io::Error>(Bytes::from_static(b"a")) })
        .chain(futures::stream::pending());
    let refused = read(&headers(None), Body::from_stream(stream), LIMITS, &Budget::new(1 << 20)).await;
    assert_eq!(refused.unwrap_err().code, Code::RequestTimeout);
}

#[tokio::test]
async fn a_body_that_never_pauses_for_long_is_given_up_all_the_same() {
    let drop_by_drop = |drops: usize| {
        let pieces = futures::stream::unfold(0, move |sent| async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            (sent < drops).then(|| (Ok::<_, io::Error>(Bytes::from_static(b"0")), sent + 1))
        });
        Body::from_stream(pieces)
    };
    let budget = Budget::new(1 << 20);
    let quick = BodyLimits { pause: Duration::from_millis(200), rate: 1 << 20, ..LIMITS };
    let refusal = read(&headers(None), drop_by_drop(usize::MAX), quick, &budget).await.unwrap_err();
    assert_eq!((refusal.code, &refusal.extra["limit"]), (Code::RequestTimeout, &"http.body_rate".into()));
    let patient = BodyLimits { pause: Duration::from_secs(60), rate: 1, ..LIMITS };
    let steady = read(&headers(None), drop_by_drop(100), patient, &budget).await;
    assert_eq!(steady.unwrap().bytes.len(), 100, "a body that keeps the rate is read to its end");
}

#[tokio::test]
async fn beyond_the_budget_nothing_is_held() {
    let refused = read(&headers(None), Body::from(vec![0; 2048]), LIMITS, &Budget::new(1024)).await;
    assert_eq!(refused.unwrap_err().code, Code::Overloaded);
}
