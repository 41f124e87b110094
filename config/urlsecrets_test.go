package config

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestNoSecretInErrors gives each setting that is text addresses with a password, and looks for it in what is said of them.
func TestNoSecretInErrors(t *testing.T) {
	const password = "ter2pw"
	values := []string{
		"http://user:hunter2pw@host/path?x=1", "ftp://user:hunter2pw@host:99999", "user:hunter2pw@host:5000", "http://user:hun ter2pw@host", "http://user:hun\tter2pw@host", "http://user:hunter2pw@@host",
		"http://user:a@hunter2pw@host", "http://user:hunter2pw%zz@host/?q", "https://host/?token=hunter2pw", "http://hunter2pw@host/x", "tcp://user:hunter2pw@host:1234", "http://user:hun\"ter2pw@host#x",
	}
	seen, faults := 0, 0
	look := func(what string, c Config, err error) {
		if err == nil {
			err = c.Validate()
		}
		seen++
		if err != nil {
			faults++
			if text := err.Error(); strings.Contains(text, password) {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, change := range Default().Changes(c) {
			if strings.Contains(change.To, password) {
				t.Errorf("%s changed to %s", change.Setting, change.To)
			}
		}
	}
	var check func(typ reflect.Type, key, variable string)
	check = func(typ reflect.Type, key, variable string) {
		for f := range typ.Fields() {
			key, variable := key+f.Tag.Get("yaml"), variable+f.Tag.Get("env")+f.Tag.Get("envPrefix")
			if f.Type.Kind() == reflect.Struct {
				check(f.Type, key+".", variable)
				continue
			}
			for _, value := range values {
				if key == "builder.credential_helpers" && strings.Contains(value, "?token=") {
					continue // in the environment that is a host and its command
				}
				c, err := Load("", []string{variable + "=" + value})
				look(fmt.Sprintf("%s=%s", variable, value), c, err)
				if key == "builder.mirrors" || key == "builder.credential_helpers" {
					c, err := Load("", []string{variable + "=docker.io=" + value + "," + value})
					look(fmt.Sprintf("%s=docker.io=%s", variable, value), c, err)
				}
			}
		}
	}
	check(reflect.TypeFor[Config](), "", EnvPrefix)
	for _, value := range values {
		c := Default()
		c.Builder.Mirrors = Mirrors{"docker.io": {"https://fine.example.com", value}, value: {"https://fine.example.com"}}
		look("builder.mirrors: "+value, c, nil)
	}
	if seen < 500 || faults < 300 {
		t.Errorf("%d values were tried, and %d refused", seen, faults)
	}
}
