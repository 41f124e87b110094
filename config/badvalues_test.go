package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
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

// The file's faults are told with their line and the setting's whole name: several sections have one of that name.
func TestFaultsOfFileNameTheirSetting(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	for text, want := range map[string]string{
		"http:\n  addr: 127.0.0.1:0\nssh:\n  idle_timeout: soon\n": `line 4: ssh.idle_timeout: "soon" is not a valid duration`,
		"disk:\n  min_free: \"much\"\n":                            `line 2: disk.min_free: "much" is not a valid size`,
		"disk: {min_free: [1]}\n":                                  "disk.min_free",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(file, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	const good = "disk:\n  min_free: &room \"1GiB\"\nquota:\n  bytes: *room\nbuilder:\n  limits: {memory: 1073741824}\nshutdown_grace: 90s # long\n"
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(file, nil)
	if err != nil || c.Disk.MinFree != 1<<30 || c.Quota.Bytes != 1<<30 || c.Builder.Limits.Memory != 1<<30 || c.Shutdown.Std() != 90*time.Second {
		t.Errorf("%v, %+v", err, c)
	}
}
