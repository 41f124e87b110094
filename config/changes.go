package config

import (
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
)

// Change is a setting that has another value.
type Change struct {
	Setting  string // its path: "log.level"
	From, To string // as a file has them; both "(hidden)" of a secret
}

// Changes lists the settings that another configuration has otherwise, in the order of the example.
func (c Config) Changes(to Config) []Change {
	shown, _ := c.WithoutSecrets()
	shownTo, _ := to.WithoutSecrets()
	var changes []Change
	var compare func(path string, from, to, shown, shownTo reflect.Value)
	compare = func(path string, from, to, shown, shownTo reflect.Value) {
		if from.Kind() == reflect.Struct {
			for i := range from.NumField() {
				key := from.Type().Field(i).Tag.Get("yaml")
				compare(strings.TrimPrefix(path+"."+key, "."), from.Field(i), to.Field(i), shown.Field(i), shownTo.Field(i))
			}
			return
		}
		if !reflect.DeepEqual(from.Interface(), to.Interface()) && !(isEmpty(from) && isEmpty(to)) {
			changes = append(changes, Change{path, hide(valueText(shown), secretsOf(shown)), hide(valueText(shownTo), secretsOf(shownTo))})
		}
	}
	compare("", reflect.ValueOf(c), reflect.ValueOf(to), reflect.ValueOf(shown), reflect.ValueOf(shownTo))
	return changes
}

// isEmpty reports whether a value is a list or map without entries.
func isEmpty(v reflect.Value) bool {
	return (v.Kind() == reflect.Slice || v.Kind() == reflect.Map) && v.Len() == 0
}

// valueText is a value on one line.
func valueText(v reflect.Value) string {
	if v.Kind() == reflect.String {
		return v.String()
	}
	text, err := yaml.MarshalWithOptions(v.Interface(), yaml.Flow(true))
	if err != nil {
		return "?" // no setting is of such a type
	}
	return strings.TrimSpace(string(text))
}
