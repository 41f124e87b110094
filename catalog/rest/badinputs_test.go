package rest_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/fandoghpaas/fandogh/catalog"
)

// Values of parameters and texts that no route may stumble over.
var hostile = []string{"0", "-1", "99999999999999999999", "1e3", "٣", "\x00", "\xff\xfe", "..", "../..", "a/b", " ", "a b", "%", "%00", "'; DROP TABLE users--", "\u202egnp", strings.Repeat("a", 5000)}

var number = regexp.MustCompile(`^[0-9]$`)

// notOf is JSON of other kinds than a schema's.
func notOf(schema *openapi3.Schema) []string {
	kinds := map[string][]string{
		"string": {`"x"`}, "integer": {"1", "-1", "0"}, "number": {"1.5", "1e400"}, "boolean": {"true"}, "array": {"[]", "[{}]", "[null]"}, "object": {"{}", `{"x":{}}`},
	}
	if schema.Type.Is("integer") {
		return []string{`"x"`, "1.5", "1e400", "99999999999999999999", "true", "[1]", "{}"}
	}
	values := []string{}
	for kind, of := range kinds {
		if !schema.Type.Is(kind) {
			values = append(values, of...)
		}
	}
	return values
}

// TestBadInputOfEveryRoute gives each route of the contract, in every place that takes something, what it can't be
// meant to take. The answer is a fault of the client's, as the contract has it, or none.
func TestBadInputOfEveryRoute(t *testing.T) {
	doc, sent := loadSpec(t), 0
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			t.Run(operation.OperationID, func(t *testing.T) {
				w := newEnv(t)
				w.version("app", "1.0", catalog.OutcomeBuilt)
				try := func(path string, body any) reply {
					sent++
					return w.do("root", method, "/api"+path, body, header("ACTIVE-NAMESPACE", "alice"))
				}
				for _, m := range placeholder.FindAllString(path, -1) {
					for _, value := range hostile {
						checkAnswer(t, try(fill(strings.Replace(path, m, url.PathEscape(value), 1)), nil), value)
					}
				}
				for _, p := range append(item.Parameters, operation.Parameters...) {
					for _, value := range hostile {
						if p.Value.In != openapi3.ParameterInQuery {
							break
						}
						got := try(fill(path)+"?"+url.Values{p.Value.Name: {value}}.Encode(), nil)
						checkAnswer(t, got, p.Value.Name+"="+value)
						if p.Value.Schema.Value.Type.Is("integer") && !number.MatchString(value) && got.status < http.StatusBadRequest {
							t.Errorf("%s=%s: status %d", p.Value.Name, value, got.status)
						}
					}
				}
				if operation.RequestBody == nil || operation.RequestBody.Value.Content["application/json"] == nil {
					return
				}
				for _, body := range []string{"", "null", "[]", "1", `"x"`, "{", `{"":1}`, "\x00", "{}{}", `{"` + strings.Repeat("a", 5000) + `":1}`, strings.Repeat(`{"a":`, 20_000)} {
					checkAnswer(t, try(fill(path), body), body)
				}
				for name, property := range operation.RequestBody.Value.Content["application/json"].Schema.Value.Properties {
					for _, value := range notOf(property.Value) {
						body := `{"` + name + `":` + value + `}`
						got := try(fill(path), body)
						checkAnswer(t, got, body)
						if got.status < http.StatusBadRequest {
							t.Errorf("%s: status %d", body, got.status)
						}
					}
					for _, value := range hostile {
						body, err := json.Marshal(map[string]string{name: value})
						w.must(err)
						checkAnswer(t, try(fill(path), string(body)), value)
					}
				}
			})
		}
	}
	if sent < 1000 {
		t.Errorf("sent only %d requests", sent)
	}
}
