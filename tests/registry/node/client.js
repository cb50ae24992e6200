// The registry as Confluent's client for Node.js uses it: node client.js URL USER:PASSWORD STEWARD:PASSWORD, the second of
// whom sets what counts for everything. Whatever is not as it should be ends the program with what it was.
const assert = require('node:assert/strict');
const { AvroDeserializer, AvroSerializer, SchemaRegistryClient, SerdeType } = require('@confluentinc/schemaregistry');

const [url, user, steward] = process.argv.slice(2);
const clientOf = (userInfo) => new SchemaRegistryClient({
  baseURLs: [url],
  basicAuthCredentials: { credentialsSource: 'USER_INFO', userInfo },
  maxRetries: 0,
});
const client = clientOf(user);
const observation = (fields) => ({
  schemaType: 'AVRO',
  schema: JSON.stringify({ type: 'record', name: 'Observation', namespace: 'weather', fields }),
});
const station = { name: 'station', type: 'string' };
const one = observation([station]);
const two = observation([station, { name: 'temp', type: ['null', 'double'], default: null }]);
const wrong = observation([station, { name: 'hour', type: 'int' }]);
const subject = 'node-气象-value'; // the characters travel percent-encoded

async function refused(call, code) {
  await assert.rejects(call, (error) => {
    assert.equal(error.errorCode, code, String(error));
    return true;
  });
}

async function registers() {
  const first = await client.registerFullResponse(subject, one, true);
  assert.ok(first.id > 0 && first.guid, JSON.stringify(first));
  const second = await client.register(subject, two);
  assert.notEqual(second, first.id);
  await refused(client.register(subject, wrong), 409);
  assert.equal(await client.getId(subject, one, true), first.id);
  await refused(client.getId(subject, wrong), 40403);
  await refused(client.getId('node-nowhere', one), 40401);
  client.clearCaches();
  const full = await client.getIdFullResponse(subject, two);
  assert.deepEqual([full.id, full.version, full.subject, full.schema], [second, 2, subject, two.schema]);
  const normal = (info) => JSON.parse(info.schema).fields.map((field) => field.name);
  assert.deepEqual(normal(await client.getBySubjectAndId(subject, first.id)), ['station']);
  assert.deepEqual(normal(await client.getByGuid(first.guid)), ['station']);
  const latest = await client.getLatestSchemaMetadata(subject);
  assert.deepEqual([latest.version, latest.id, latest.subject], [2, second, subject]);
  assert.equal((await client.getSchemaMetadata(subject, 1, true)).id, first.id);
  await refused(client.getSchemaMetadata(subject, 9), 40402);
  assert.deepEqual(await client.getAllVersions(subject), [1, 2]);
  assert.equal(await client.getVersion(subject, two), 2);
  assert.ok((await client.getAllSubjects()).includes(subject));
}

async function metadataTravels() {
  const owned = { ...two, metadata: { properties: { owner: 'weather', 'application.major.version': '2' } } };
  const registered = await client.registerFullResponse(subject, owned);
  const found = await client.getLatestWithMetadata(subject, { owner: 'weather' });
  assert.equal(found.id, registered.id);
  assert.deepEqual(found.metadata.properties, owned.metadata.properties);
}

async function compatible() {
  assert.equal(await client.testSubjectCompatibility(subject, wrong), false);
  assert.equal(await client.testCompatibility(subject, 1, two), true);
  await refused(client.getCompatibility(subject), 40408);
  assert.equal(await client.getDefaultCompatibility(), 'BACKWARD');
  assert.equal(await client.updateCompatibility(subject, 'FULL_TRANSITIVE'), 'FULL_TRANSITIVE');
  client.clearCaches();
  assert.equal(await client.getCompatibility(subject), 'FULL_TRANSITIVE');
  const config = await client.updateConfig(subject, { compatibility: 'NONE', normalize: true });
  assert.deepEqual([config.compatibility, config.normalize], ['NONE', true]);
  assert.equal((await client.getConfig(subject)).compatibilityLevel, 'NONE');
  assert.equal((await client.getDefaultConfig()).compatibilityLevel, 'BACKWARD');
  await refused(client.updateCompatibility(subject, 'SOMEHOW'), 42203);
}

async function setsWhatCountsForEverything() {
  await refused(client.updateDefaultConfig({ compatibility: 'NONE' }), 40301);
  await refused(client.updateDefaultCompatibility('NONE'), 40301);
  const stewards = clientOf(steward);
  assert.equal(await stewards.updateDefaultCompatibility('FULL'), 'FULL');
  assert.equal(await stewards.getDefaultCompatibility(), 'FULL');
  const config = await stewards.updateDefaultConfig({ compatibility: 'BACKWARD', normalize: false });
  assert.deepEqual([config.compatibility, config.normalize], ['BACKWARD', false]);
  const set = await stewards.getDefaultConfig();
  assert.deepEqual([set.compatibilityLevel, set.normalize], ['BACKWARD', false]);
  await refused(stewards.updateDefaultCompatibility('SOMEHOW'), 42203);
  stewards.close();
}

async function serialises() {
  const serializer = new AvroSerializer(client, SerdeType.VALUE, { autoRegisterSchemas: false, useLatestVersion: true });
  await client.register('node-topic-value', two);
  const bytes = await serializer.serialize('node-topic', { station: 'JFK', temp: 1.5 });
  assert.equal(bytes[0], 0);
  const deserializer = new AvroDeserializer(client, SerdeType.VALUE, {});
  const back = await deserializer.deserialize('node-topic', bytes);
  assert.deepEqual({ ...back }, { station: 'JFK', temp: 1.5 });
}

async function deletes() {
  await refused(client.deleteSubject(subject, true), 40405);
  assert.equal(await client.deleteSubjectVersion(subject, 1, false), 1);
  assert.equal(await client.deleteSubjectVersion(subject, 1, true), 1);
  assert.deepEqual(await client.deleteSubject(subject, false), [2, 3]);
  await refused(client.deleteSubject(subject, false), 40404);
  assert.deepEqual(await client.deleteSubject(subject, true), [2, 3]);
}

(async () => {
  for (const step of [registers, metadataTravels, compatible, setsWhatCountsForEverything, serialises, deletes]) await step();
  client.close();
  console.log('node: all as it should be');
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
