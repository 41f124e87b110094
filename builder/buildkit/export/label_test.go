package export

import (
	"testing"
)

func TestLabels(t *testing.T) {
	ours := map[string]string{"revision": "ours"}
	for _, c := range []struct {
		name, config, want string
		labels, base       map[string]string
	}{
		{"none there", `{"config":{"Env":["A=1"],"X":{"y":1}}}`, `{"Env":["A=1"],"Labels":{"revision":"ours"},"X":{"y":1}}`, ours, nil},
		{"no config", `{"os":"linux"}`, `{"Labels":{"revision":"ours"}}`, ours, nil},
		{"null", `{"config":{"Labels":null}}`, `{"Labels":{"revision":"ours"}}`, ours, nil},
		{"beside others", `{"config":{"Labels":{"a":"1"}}}`, `{"Labels":{"a":"1","revision":"ours"}}`, ours, nil},
		{"the Dockerfile's", `{"config":{"Labels":{"revision":"its"}}}`, `{"Labels":{"revision":"its"}}`, ours, map[string]string{"revision": "base"}},
		{"the Dockerfile's empty one", `{"config":{"Labels":{"revision":""}}}`, `{"Labels":{"revision":""}}`, ours, nil},
		{"the base image's", `{"config":{"Labels":{"revision":"base"}}}`, `{"Labels":{"revision":"ours"}}`, ours, map[string]string{"revision": "base"}},
		{"nothing to say", `{"config":{"Labels":null}}`, `{"Labels":null}`, nil, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, err := parseConfig([]byte(c.config))
			if err != nil {
				t.Fatal(err)
			}
			if err := config.label(c.labels, c.base); err != nil || string(config.fields["config"]) != c.want {
				t.Errorf("became %s, %v; want %s", config.fields["config"], err, c.want)
			}
		})
	}
}
