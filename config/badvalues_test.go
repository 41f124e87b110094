package config

import (
	"reflect"
	"strings"
	"testing"
)

// TestBadValuesOfEverySetting gives each setting that is no text what it can't be: it is refused by its name.
func TestBadValuesOfEverySetting(t *testing.T) {
	seen := 0
	var check func(typ reflect.Type, key, variable string)
	check = func(typ reflect.Type, key, variable string) {
		for f := range typ.Fields() {
			key, variable := key+f.Tag.Get("yaml"), variable+f.Tag.Get("env")+f.Tag.Get("envPrefix")
			values := []string{"nonsense", "-1", "99999999999999999999999999", "1e400", "NaN", " "}
			switch f.Type.Kind() {
			case reflect.Struct:
				check(f.Type, key+".", variable)
				continue
			case reflect.String, reflect.Slice, reflect.Map:
				continue
			case reflect.Bool:
				values = []string{"maybe", "2", "-1", " "}
			}
			seen++
			for _, value := range values {
				c, err := Load("", []string{variable + "=" + value})
				if err == nil {
					err = c.Validate()
				}
				if err == nil {
					t.Errorf("%s=%q is taken", variable, value)
				} else if text := err.Error(); !strings.Contains(text, key) && !strings.Contains(text, variable) {
					t.Errorf("%s=%q: %v", variable, value, err)
				}
			}
		}
	}
	check(reflect.TypeFor[Config](), "", EnvPrefix)
	if seen < 50 {
		t.Errorf("saw only %d settings", seen)
	}
}
