package repository

import (
	"bytes"
	"strings"

	"github.com/go-git/gcfg"
	"github.com/go-git/go-git/v5/config"

	"github.com/fandoghpaas/fandogh/catalog"
)

// maxModulesFile bounds a .gitmodules file, in bytes.
const maxModulesFile = 256 << 10

// submodule is what a .gitmodules file says of a path.
type submodule struct {
	url    string
	update string // "none" leaves the directory empty; empty: as git has it
}

// parseModules reads a .gitmodules file, by path. What git passes over as suspicious, a name or path that leads elsewhere or looks
// like an option, is passed over. Errors: Invalid.
func parseModules(data []byte) (map[string]submodule, error) {
	type said struct{ name, path, url, update string }
	named := map[string]*said{}
	var all []*said // of two for one path the last holds
	err := gcfg.ReadWithCallback(bytes.NewReader(data), func(section, name, key, value string, _ bool) error {
		if !strings.EqualFold(section, "submodule") || name == "" {
			return nil
		}
		s := named[name]
		if s == nil {
			s = &said{name: name}
			named[name], all = s, append(all, s)
		}
		switch strings.ToLower(key) {
		case "path":
			s.path = strings.TrimSuffix(value, "/")
		case "url":
			s.url = value
		case "update":
			s.update = value
		}
		return nil
	})
	if err != nil {
		return nil, catalog.Wrap(catalog.Invalid, err, ".gitmodules is not a valid git configuration")
	}
	modules := map[string]submodule{}
	for _, s := range all {
		if strings.HasPrefix(s.update, "!") { // CVE-2019-19604: a command
			return nil, catalog.Errorf(catalog.Invalid, ".gitmodules has a command to update submodule %q, which git refuses; remove it", s.name)
		}
		checked := config.Submodule{Name: s.name, Path: s.path, URL: "any"} // that is looked at when it is asked for
		if checked.Validate() == nil && !strings.HasPrefix(s.path, "-") {
			modules[s.path] = submodule{url: s.url, update: s.update}
		}
	}
	return modules, nil
}
