package main

import (
	"bytes"
	"cmp"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/fandoghpaas/fandogh/internal/atomicfile"
	"github.com/fandoghpaas/fandogh/internal/language"
	"github.com/fandoghpaas/fandogh/internal/usage"
)

// The project's file is shared with the other clients, whose keys are single
// words with a dot in them, and with the server, which reads its build section.
const (
	projectFile = ".fandogh/config.yml"
	otherFile   = ".fandogh/config.yaml" // read and written where it stands alone
	imageKey    = "image.name"
)

// project is what we read of the file.
type project struct {
	Image    string `yaml:"image.name"`
	AppImage string `yaml:"app.name"` // what the Node client calls it
	Build    struct {
		Dockerfile string `yaml:"dockerfile"` // slash path
		Context    string `yaml:"context"`    // slash path
	} `yaml:"build"`
}

func (p project) image() string { return cmp.Or(p.Image, p.AppImage) }

// readProject reads a directory's file; without one everything is empty.
func readProject(dir string) (project, error) {
	var p project
	name, data, err := readProjectFile(dir)
	if err != nil {
		return p, err
	}
	if err := yaml.Unmarshal(data, &p); err != nil {
		return p, usage.Errorf("failed to read %s:\n%w", name, err)
	}
	return p, nil
}

// readProjectFile returns which file a directory has, or should have, and what is in it.
func readProjectFile(dir string) (name string, data []byte, err error) {
	for _, name := range []string{projectFile, otherFile} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if !errors.Is(err, fs.ErrNotExist) {
			return name, bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), err // some editors' mark, which the parser takes for text
		}
	}
	return projectFile, nil, nil
}

// saveImage writes the image's name into a directory's file and leaves
// everything else there as it is.
func saveImage(dir, name string) error {
	file, old, err := readProjectFile(dir)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, file)
	text, err := setImage(old, name)
	if err != nil {
		return usage.Errorf("failed to read %s:\n%w", file, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := atomicfile.Replace(path, text, 0o644); err != nil {
		return language.Errorf("failed to write %s: %w", file, err)
	}
	return nil
}

// setImage sets the image's name in a YAML mapping. Other keys, their order and
// comments stay; a document whose other keys would not is refused.
func setImage(document []byte, name string) ([]byte, error) {
	var before, after map[string]any
	if err := yaml.Unmarshal(document, &before); err != nil {
		return nil, err
	}
	text, err := editImage(document, name)
	if err != nil {
		return nil, err
	}
	err = yaml.Unmarshal(text, &after)
	if before == nil {
		before = map[string]any{}
	}
	before[imageKey] = name
	if err != nil || !reflect.DeepEqual(before, after) {
		return nil, language.Errorf("this file can't be edited automatically; add the line %q yourself", imageKey+": "+name)
	}
	return text, nil
}

// editImage is setImage as far as documents are written as usual.
func editImage(document []byte, name string) ([]byte, error) {
	entry, err := yaml.Marshal(map[string]string{imageKey: name})
	if err != nil {
		return nil, err
	}
	file, err := parser.ParseBytes(document, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	var body ast.Node
	if len(file.Docs) > 0 {
		body = file.Docs[0].Body
	}
	mapping, ok := body.(*ast.MappingNode)
	switch {
	case body == nil || body.Type() == ast.CommentType:
		return append(withLineEnd(document), entry...), nil
	case !ok:
		return nil, language.Errorf("it must contain keys and values")
	}
	added, err := parser.ParseBytes(entry, 0)
	if err != nil {
		return nil, err
	}
	addition, ok := added.Docs[0].Body.(*ast.MappingNode)
	if !ok {
		return nil, language.Errorf("%q can't be written as YAML", name)
	}
	for _, present := range mapping.Values {
		if present.Key.GetToken().Value == imageKey {
			replacement := addition.Values[0].Value
			if err := replacement.SetComment(present.Value.GetComment()); err != nil {
				return nil, err
			}
			present.Value = replacement
			return withLineEnd([]byte(file.String())), nil
		}
	}
	mapping.Merge(addition)
	return withLineEnd([]byte(file.String())), nil
}

func withLineEnd(text []byte) []byte {
	if len(text) > 0 && text[len(text)-1] != '\n' {
		return append(text, '\n')
	}
	return text
}
