// The registry as franz-go's client for Go uses it: main URL USER PASSWORD. Whatever is not as it should be ends the
// program with what it was.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/sr"
)

const subject = "go/observations-value" // the slash travels percent-encoded

var ctx = context.Background()

func main() {
	client, err := sr.NewClient(sr.URLs(os.Args[1]), sr.BasicAuth(os.Args[2], os.Args[3]))
	must(err)
	first := register(client)
	byId(client, first)
	refersTo(client)
	compatible(client)
	modes(client)
	contexts(client)
	carriesRules(client)
	deletes(client)
	fmt.Println("go: all as it should be")
}

func observation(fields string) sr.Schema {
	return sr.Schema{Schema: `{"type":"record","name":"Observation","namespace":"weather","fields":[` + fields + `]}`}
}

var (
	one   = observation(`{"name":"station","type":"string"}`)
	two   = observation(`{"name":"station","type":"string"},{"name":"temp","type":["null","double"],"default":null}`)
	wrong = observation(`{"name":"station","type":"string"},{"name":"hour","type":"int"}`)
)

func register(client *sr.Client) sr.SubjectSchema {
	types, err := client.SupportedTypes(ctx)
	must(err)
	equal("types", types, []sr.SchemaType{sr.TypeAvro})
	first, err := client.CreateSchema(ctx, subject, one)
	must(err)
	equal("subject and version", fmt.Sprint(first.Subject, first.Version), fmt.Sprint(subject, 1))
	again, err := client.RegisterSchema(ctx, subject, one, -1, -1)
	must(err)
	equal("id of the same", again, first.ID)
	second, err := client.CreateSchema(ctx, subject, two)
	must(err)
	equal("second version", second.Version, 2)
	_, err = client.CreateSchema(ctx, subject, wrong)
	refused("an incompatible schema", err, 409)
	found, err := client.LookupSchema(ctx, subject, one)
	must(err)
	equal("looked up", found.ID, first.ID)
	_, err = client.LookupSchema(ctx, subject, wrong)
	refused("an unknown schema", err, 40403)
	_, err = client.LookupSchema(ctx, "go-nowhere", one)
	refused("an unknown subject", err, 40401)
	subjects, err := client.Subjects(sr.WithParams(ctx, sr.SubjectPrefix("go/")))
	must(err)
	equal("subjects", subjects, []string{subject})
	versions, err := client.SubjectVersions(ctx, subject)
	must(err)
	equal("versions", versions, []int{1, 2})
	latest, err := client.SchemaByVersion(ctx, subject, -1)
	must(err)
	equal("latest", latest.ID, second.ID)
	text, err := client.SchemaTextByVersion(ctx, subject, 1)
	must(err)
	equal("text", text, one.Schema)
	return first
}

func byId(client *sr.Client, first sr.SubjectSchema) {
	schema, err := client.SchemaByID(ctx, first.ID)
	must(err)
	equal("by id", schema.Schema, one.Schema)
	text, err := client.SchemaTextByID(ctx, first.ID)
	must(err)
	equal("text by id", text, one.Schema)
	subjects, err := client.SubjectsByID(ctx, first.ID)
	must(err)
	equal("subjects of an id", subjects, []string{subject})
	versions, err := client.SchemaVersionsByID(ctx, first.ID)
	must(err)
	equal("versions of an id", versions, []sr.SubjectVersion{{Subject: subject, Version: 1}})
	same, err := client.SchemaByGUID(ctx, first.GUID)
	must(err)
	equal("by guid", same.Schema.Schema, one.Schema)
	ids, err := client.SchemaIDsByGUID(ctx, first.GUID)
	must(err)
	equal("ids of a guid", ids, []sr.ContextID{{Context: ".", ID: first.ID}})
	_, err = client.SchemaByID(ctx, 1<<30)
	refused("an unknown id", err, 40403)

	// What Go programs write and read: the prefix with the id, then the datum.
	serde := sr.NewSerde()
	serde.Register(first.ID, station(""), sr.EncodeFn(encode), sr.DecodeFn(decode))
	bytes, err := serde.Encode(station("JFK"))
	must(err)
	equal("prefix", fmt.Sprint(bytes[:5]), fmt.Sprint([]byte{0, 0, 0, byte(first.ID >> 8), byte(first.ID)}))
	var back station
	must(serde.Decode(bytes, &back))
	equal("decoded", back, station("JFK"))
}

type station string

func encode(value any) ([]byte, error) {
	text := string(value.(station))
	return append([]byte{byte(len(text) << 1)}, text...), nil
}

func decode(bytes []byte, value any) error {
	*value.(*station) = station(bytes[1:])
	return nil
}

func refersTo(client *sr.Client) {
	referring := sr.Schema{
		Schema:     `{"type":"record","name":"Report","namespace":"weather","fields":[{"name":"of","type":"weather.Observation"}]}`,
		References: []sr.SchemaReference{{Name: "weather.Observation", Subject: subject, Version: 2}},
	}
	report, err := client.CreateSchema(ctx, "go-report", referring)
	must(err)
	equal("references", report.References, referring.References)
	users, err := client.SchemaReferences(ctx, subject, 2)
	must(err)
	equal("referenced by", len(users), 1)
	equal("referenced by", users[0].Subject, "go-report")
	err = client.DeleteSchema(ctx, subject, 2, sr.SoftDelete)
	refused("deleting what is referred to", err, 42206)
	must(just(client.DeleteSubject(ctx, "go-report", sr.SoftDelete)))
	must(just(client.DeleteSubject(ctx, "go-report", sr.HardDelete)))
}

func compatible(client *sr.Client) {
	result, err := client.CheckCompatibility(ctx, subject, -1, wrong)
	must(err)
	equal("compatible", result.Is, false)
	level := client.Compatibility(sr.WithParams(ctx, sr.DefaultToGlobal), subject)[0]
	must(level.Err)
	equal("the default level", level.Level, sr.CompatBackward)
	refused("no level of its own", client.Compatibility(ctx, subject)[0].Err, 40408)
	set := client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatNone}, subject)[0]
	must(set.Err)
	equal("level", set.Level, sr.CompatNone)
	must(just(client.CreateSchema(ctx, subject, wrong)))
	must(client.ResetCompatibility(ctx, subject)[0].Err)
	refused("no level any more", client.Compatibility(ctx, subject)[0].Err, 40408)
}

func modes(client *sr.Client) {
	refused("no mode of its own", client.Mode(ctx, subject)[0].Err, 40409)
	set := client.SetMode(ctx, sr.ModeReadOnly, subject)[0]
	must(set.Err)
	equal("mode", set.Mode, sr.ModeReadOnly)
	_, err := client.CreateSchema(ctx, subject, observation(`{"name":"other","type":"string","default":""}`))
	refused("registering in a read-only subject", err, 42205)
	must(client.ResetMode(ctx, subject)[0].Err)

	must(client.SetMode(ctx, sr.ModeImport, "go-imported")[0].Err)
	imported, err := client.CreateSchemaWithIDAndVersion(ctx, "go-imported", observation(`{"name":"x","type":"int"}`), 900001, 7)
	must(err)
	equal("imported", fmt.Sprint(imported.ID, imported.Version), "900001 7")
}

func carriesRules(client *sr.Client) {
	schema := observation(`{"name":"temp","type":"double"}`)
	rule := sr.SchemaRule{Name: "cold", Kind: sr.SchemaRuleKindCondition, Mode: sr.SchemaRuleModeWrite, Type: "CEL", Expr: "message.temp > -273.15"}
	schema.SchemaRuleSet = &sr.SchemaRuleSet{DomainRules: []sr.SchemaRule{rule}}
	schema.SchemaMetadata = &sr.SchemaMetadata{Properties: map[string]string{"owner": "weather"}}
	ruled, err := client.CreateSchema(ctx, "go-ruled", schema)
	must(err)
	equal("rule", ruled.SchemaRuleSet.DomainRules[0].Expr, rule.Expr)
	equal("metadata", ruled.SchemaMetadata.Properties["owner"], "weather")
}

func contexts(client *sr.Client) {
	inside, err := sr.NewClient(sr.URLs(os.Args[1]), sr.BasicAuth(os.Args[2], os.Args[3]), sr.DefaultSchemaContext(".go"))
	must(err)
	schema, err := inside.CreateSchema(ctx, "inner", one)
	must(err)
	equal("subject in a context", schema.Subject, ":.go:inner")
	known, err := client.Contexts(ctx)
	must(err)
	equal("contexts", slices.Contains(known, ".") && slices.Contains(known, ".go"), true)
	refused("a context with subjects", client.DeleteContext(ctx, ".go"), 42211)
	must(just(client.DeleteSubject(ctx, ":.go:inner", sr.SoftDelete)))
	must(just(client.DeleteSubject(ctx, ":.go:inner", sr.HardDelete)))
	must(client.DeleteContext(ctx, ".go"))
}

func deletes(client *sr.Client) {
	err := client.DeleteSchema(ctx, subject, 1, sr.HardDelete)
	refused("deleting for good what stands", err, 40407)
	must(client.DeleteSchema(ctx, subject, 1, sr.SoftDelete))
	versions, err := client.SubjectVersions(ctx, subject)
	must(err)
	equal("versions left", versions, []int{2, 3})
	versions, err = client.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), subject)
	must(err)
	equal("versions with deleted ones", versions, []int{1, 2, 3})
	must(client.DeleteSchema(ctx, subject, 1, sr.HardDelete))
	gone, err := client.DeleteSubject(ctx, subject, sr.SoftDelete)
	must(err)
	equal("deleted", gone, []int{2, 3})
	must(just(client.DeleteSubject(ctx, subject, sr.HardDelete)))
	_, err = client.SubjectVersions(sr.WithParams(ctx, sr.ShowDeleted), subject)
	refused("a subject that is gone", err, 40401)
}

func just[T any](_ T, err error) error { return err }

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func equal[T any](what string, found, wanted T) {
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		panic(fmt.Sprintf("%s: %v, not %v", what, found, wanted))
	}
}

func refused(what string, err error, code int) {
	var known *sr.ResponseError
	if !errors.As(err, &known) || known.ErrorCode != code {
		panic(fmt.Sprintf("%s: %v, not refused with %d", what, err, code))
	}
}
