//! Pages, searches and the gate's questions.

use changtong_catalog::conformance;
use changtong_catalog::error::Code;
use changtong_catalog::ids::ResourceNumber;
use changtong_catalog::ports::Directory;
use changtong_catalog::resource::{ResourceState, ShareType};
use changtong_catalog::store::{ResourceQuery, Store};

use super::fixture;

async fn pages_go_on_where_they_ended(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let provider = fixture::member(&mut tx, 1, "91370100MA3C00001X", "one").await;
    for place in 0..7 {
        let class = if place % 2 == 0 { "3070220601" } else { "1010101" };
        fixture::draft(&mut tx, &provider, class, &format!("资源 {place}")).await;
    }
    tx.finish().await.unwrap();
    let odd = |resource: &changtong_catalog::resource::Resource| resource.number.0 % 2 == 1;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.resources(&ResourceQuery::default(), odd, after.as_deref(), 2).await.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.iter().map(|resource| resource.number.0));
        let Some(next) = page.next else { break };
        after = Some(next);
    }
    assert_eq!(seen, [1, 3, 5, 7]);
    let foreign = store.resources(&ResourceQuery::default(), odd, Some("!"), 2).await;
    assert_eq!(foreign.unwrap_err().code, Code::BadRequest);
    let all = store.resources(&ResourceQuery::default(), |_| true, None, 7).await.unwrap();
    assert_eq!((all.items.len(), all.next), (7, None));
    // Sequences are counted per class.
    let codes: Vec<String> = all.items.iter().map(|resource| resource.code.to_string()).collect();
    assert_eq!(codes[..3], ["3070220601/000001", "1010101/000001", "3070220601/000002"]);
}

async fn searches_find_the_same_on_both_engines(store: &Store) {
    let mut tx = store.begin().await.unwrap();
    let provider = fixture::member(&mut tx, 1, "91370100MA3C00001X", "one").await;
    for title in ["航班 Flights 100%", "气象_É", "İstanbul ẞ"] {
        fixture::draft(&mut tx, &provider, "3070220601", title).await;
    }
    tx.finish().await.unwrap();
    let found = async |q: &str| {
        let query = ResourceQuery { q: Some(q.to_owned()), ..ResourceQuery::default() };
        let page = store.resources(&query, |_| true, None, 10).await.unwrap();
        page.items.iter().map(|resource| resource.number.0).collect::<Vec<_>>()
    };
    assert_eq!(found("FLIGHTS").await, [1]);
    assert_eq!(found("100%").await, [1]);
    assert_eq!(found("_É").await, [2]);
    assert_eq!(found("é").await, [2]);
    assert_eq!(found("%").await, [1]);
    assert_eq!(found("ẞ").await, [3]);
    assert_eq!(found("航班").await, [1]);
    assert_eq!(found("起飞延误").await, [1, 2, 3]);
    assert_eq!(found("3070220601-000002").await, [2]);
    let narrowed =
        async |query: ResourceQuery| store.resources(&query, |_| true, None, 10).await.unwrap().items.len();
    assert_eq!(narrowed(ResourceQuery { class: Some("307".into()), ..Default::default() }).await, 3);
    assert_eq!(narrowed(ResourceQuery { class: Some("07".into()), ..Default::default() }).await, 0);
    assert_eq!(narrowed(ResourceQuery { provider: Some(provider.agency), ..Default::default() }).await, 3);
    let withheld = ResourceQuery { share_type: Some(ShareType::Withheld), ..Default::default() };
    assert_eq!(narrowed(withheld).await, 0);

    // Who may not see the items of a withheld entry would learn them from what is found.
    let mut tx = store.begin().await.unwrap();
    let mut hidden = fixture::draft(&mut tx, &provider, "3070220601", "不予共享").await;
    hidden.file.share_type = ShareType::Withheld;
    hidden.version = 2;
    tx.update_resource(&hidden, fixture::change(&provider, "update", 2)).await.unwrap();
    tx.finish().await.unwrap();
    assert_eq!(found("不予").await, [4]);
    assert_eq!(found("起飞延误").await, [1, 2, 3]);

    let nul = ResourceQuery { q: Some("\0".to_owned()), ..Default::default() };
    assert_eq!(store.resources(&nul, |_| true, None, 10).await.unwrap_err().code, Code::Invalid);
}

async fn the_directory_answers_what_stands(store: &Store) {
    let made = fixture::catalog(store).await;
    let standing = Directory::resource(store, &made.resource.code).await.unwrap().unwrap();
    assert_eq!(standing.resource, made.resource);
    assert_eq!(standing.topic, None);
    assert_eq!(standing.value_schema().map(|schema| schema.id), made.resource.schema);
    assert_eq!(standing.key_schema.as_ref().map(|schema| schema.id), made.resource.key_schema);
    let by_number = store.resource_by_number(made.resource.number).await.unwrap();
    assert_eq!(by_number.as_ref(), Some(&standing));
    assert_eq!(store.resource_by_number(ResourceNumber(99)).await.unwrap(), None);

    let subscribed = store.subscription(made.subscription.id).await.unwrap().unwrap();
    assert_eq!(subscribed.subscription, made.subscription);
    assert_eq!(subscribed.grant, made.grant);
    assert_eq!(subscribed.resource, standing);
    assert_eq!(subscribed.floor, None);
    assert_eq!(Some(&subscribed.derived_schema), standing.value_schema());
    assert_eq!(Directory::grant(store, made.grant.id).await.unwrap(), Some(made.grant));
    assert!(store.key(&made.consumer.key).await.unwrap().unwrap().stands());
    assert_eq!(store.topics().await.unwrap(), []);

    let mut tx = store.begin().await.unwrap();
    let draft = fixture::draft(&mut tx, &made.provider, "1010101", "草稿").await;
    tx.finish().await.unwrap();
    let standing = Directory::resource(store, &draft.code).await.unwrap().unwrap();
    assert_eq!(standing.resource.state, ResourceState::Draft);
    assert_eq!((standing.value_schema(), standing.key_schema.as_ref()), (None, None));
}

/// Handlers run on any worker: the futures of lists must be able to move.
async fn lists_can_be_spawned(store: &Store) {
    let store = store.clone();
    let task = async move { store.resources(&ResourceQuery::default(), |_| true, None, 1).await };
    assert_eq!(tokio::spawn(task).await.unwrap().unwrap().items, []);
}

conformance!(
    pages_go_on_where_they_ended,
    searches_find_the_same_on_both_engines,
    the_directory_answers_what_stands,
    lists_can_be_spawned,
);
