package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

// maxBody bounds a JSON request, in bytes.
const maxBody = 1 << 20

// decode reads a request's JSON object into a struct without nested objects.
// Errors name the field at fault.
func decode[In any](w http.ResponseWriter, r *http.Request) (In, error) {
	var in In
	mediaType, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset := params["charset"]
	isForm := mediaType == "application/x-www-form-urlencoded"
	if err != nil || mediaType != "application/json" && !isForm || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return in, withStatus(http.StatusUnsupportedMediaType,
			catalog.FieldErrorf("Content-Type", "the body must be sent as application/json in UTF-8, not as %q", r.Header.Get("Content-Type")))
	}
	body, err := bounded.ReadAll(http.MaxBytesReader(w, r.Body, maxBody), maxBody)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return in, catalog.Errorf(catalog.TooLarge, "the body is larger than %d bytes", tooLarge.Limit)
	case err != nil:
		return in, catalog.Wrap(catalog.Invalid, err, "the body is incomplete")
	case !utf8.Valid(body):
		return in, catalog.FieldErrorf("body", "the body is not valid UTF-8")
	}
	// Many send JSON as a form, since curl does unless it is told otherwise. No field's name begins with a brace.
	if isForm && !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		if body, err = formAsJSON(string(body)); err != nil {
			return in, err
		}
	}
	return in, decodeFields(body, &in)
}

// formAsJSON makes an object of texts of a form.
func formAsJSON(form string) ([]byte, error) {
	values, err := url.ParseQuery(form)
	if err != nil {
		return nil, catalog.FieldErrorf("body", "the form is not valid")
	}
	given := map[string]string{}
	for name := range values {
		given[name] = values.Get(name)
	}
	return json.Marshal(given)
}

// decodeFields sets the fields of the struct that in points to.
func decodeFields(body []byte, in any) error {
	var given map[string]json.RawMessage
	if err := json.Unmarshal(body, &given); err != nil || given == nil {
		return catalog.FieldErrorf("body", "the body must be one JSON object")
	}
	target := reflect.ValueOf(in).Elem()
	fields := map[string]reflect.Value{}
	var names []string
	for i := range target.NumField() {
		name, _, _ := strings.Cut(target.Type().Field(i).Tag.Get("json"), ",")
		fields[name] = target.Field(i)
		names = append(names, name)
	}
	for name, value := range given {
		field, known := fields[name]
		if !known {
			slices.Sort(names)
			return catalog.FieldErrorf(name, "unknown field %q; the fields are: %s", name, strings.Join(names, ", "))
		}
		if err := json.Unmarshal(value, field.Addr().Interface()); err != nil {
			return catalog.FieldErrorf(name, "%q must be a %s", name, typeName(field.Type()))
		}
	}
	return nil
}

func typeName(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.String {
			return "list of strings"
		}
		return "text in base64"
	case reflect.Struct:
		return "time such as 2006-01-02T15:04:05Z"
	}
	return "number"
}

// checkText refuses addresses whose text no store could hold or compare.
func checkText(r *http.Request) error {
	if !utf8.ValidString(r.URL.Path) {
		return catalog.FieldErrorf("path", "the path is not valid UTF-8")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return catalog.FieldErrorf("query", "the query is not valid")
	}
	for name, values := range query {
		for _, value := range values {
			if !utf8.ValidString(name) || !utf8.ValidString(value) {
				return catalog.FieldErrorf(strings.ToValidUTF8(name, "?"), "the query is not valid UTF-8")
			}
		}
	}
	return nil
}
