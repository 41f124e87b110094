package builder

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/fandoghpaas/fandogh/catalog"
	"github.com/fandoghpaas/fandogh/internal/bounded"
)

const (
	configDir         = ".fandogh"
	maxConfigBytes    = 16 << 10 // the parser takes quadratic time for deep nesting
	repositoryKeyList = "args, branches, context, dockerfile, keep_git, labels, limits, no-cache, platform, pull, source, target, test, timestamps"
)

// buildSection is `build:` of a repository's own configuration. Keys that a push may give, too, are
// the names of the push options; the file's other sections, but for `images:`, belong to clients.
type buildSection struct {
	NoCache    bool                `yaml:"no-cache"`
	Pull       bool                `yaml:"pull"`
	Args       map[string]ast.Node `yaml:"args"` // scalars, taken as written: 1.10 is not 1.1
	Target     string              `yaml:"target"`
	Test       string              `yaml:"test"`
	Platform   nameList            `yaml:"platform"`
	Dockerfile string              `yaml:"dockerfile"`
	Context    string              `yaml:"context"`
	Timestamps string              `yaml:"timestamps"`
	KeepGit    bool                `yaml:"keep_git"`
	Labels     *nameList           `yaml:"labels"` // an empty list is none
	Source     string              `yaml:"source"`
	Branches   nameList            `yaml:"branches"` // patterns
	Limits     ast.Node            `yaml:"limits"`
}

// nameList is a list of names, or the names in one text, with commas or blanks between them.
type nameList string

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (l *nameList) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err == nil {
		*l = nameList(text)
		return nil
	}
	var names []string
	if err := unmarshal(&names); err != nil {
		return err
	}
	*l = nameList(strings.Join(names, ","))
	return nil
}

// configNames are what a repository's own configuration may be called.
var configNames = []string{configDir + "/config.yml", configDir + "/config.yaml"}

// configFiles is what the configuration is read from.
type configFiles interface {
	fs.FS
	Lstat(name string) (fs.FileInfo, error)
}

// repositoryConfig is what a repository says of its builds.
type repositoryConfig struct {
	options  catalog.BuildOptions
	limits   catalog.BuildLimits
	branches string // patterns of those that are built when they are pushed
	images   []configuredImage
}

// readRepositoryConfig reads what a repository says of its builds; without
// the file or its section it is the zero value. Errors: Invalid.
func readRepositoryConfig(tree configFiles) (repositoryConfig, error) {
	name, err := findConfig(tree)
	if name == "" || err != nil {
		return repositoryConfig{}, err
	}
	data, err := readConfig(tree, name)
	if err != nil {
		return repositoryConfig{}, err
	}
	return parseRepositoryConfig(name, data)
}

// findConfig returns the path of the configuration, or nothing. A link is
// refused, even one to a file of the commit: the client and other tools that read
// the file would each follow it in their own way.
func findConfig(tree configFiles) (string, error) {
	found := ""
	for _, name := range append([]string{configDir}, configNames...) {
		info, err := tree.Lstat(name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", fmt.Errorf("look for %s: %w", name, err)
		case info.Mode()&fs.ModeSymlink != 0:
			return "", catalog.Errorf(catalog.Invalid, "%s is a symbolic link, which is not followed; commit the file itself in its place", name)
		case name == configDir:
			continue
		case !info.Mode().IsRegular():
			return "", catalog.Errorf(catalog.Invalid, "%s must be a file", name)
		case found != "":
			return "", catalog.Errorf(catalog.Invalid, "this commit has both %s and %s; move everything into %[1]s and remove the other", found, name)
		}
		found = name
	}
	return found, nil
}

func readConfig(tree fs.FS, name string) ([]byte, error) {
	file, err := tree.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	defer file.Close() //nolint:errcheck // read only
	data, err := bounded.ReadAll(file, maxConfigBytes)
	var tooLong *bounded.TooLongError
	switch {
	case errors.As(err, &tooLong):
		return nil, catalog.Errorf(catalog.Invalid, "%s is larger than %s", name, humanSize(maxConfigBytes))
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if err := CheckEncoding(name, data); err != nil {
		return nil, err
	}
	if !utf8.Valid(data) {
		return nil, notUTF8(name, "is not encoded in UTF-8")
	}
	return bytes.TrimPrefix(data, []byte(byteOrderMark)), nil
}

func parseRepositoryConfig(name string, data []byte) (config repositoryConfig, err error) {
	defer func() {
		if recover() != nil { // the parser panics at some texts, such as "images: ! "
			config, err = repositoryConfig{}, catalog.Errorf(catalog.Invalid, "%s is not valid YAML", name)
		}
	}()
	var file struct {
		Build  ast.Node   `yaml:"build"`
		Images []ast.Node `yaml:"images"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return repositoryConfig{}, configError(name, "build", repositoryKeyList, err)
	}
	images, err := readImages(name, file.Images)
	if err != nil || file.Build == nil {
		return repositoryConfig{images: images}, err
	}
	var section buildSection
	if err := yaml.NodeToValue(file.Build, &section, yaml.Strict()); err != nil {
		return repositoryConfig{}, configError(name, "build", repositoryKeyList, err)
	}
	args, err := argTexts(name, section.Args)
	if err != nil {
		return repositoryConfig{}, err
	}
	labels := ""
	if section.Labels != nil {
		labels = cmp.Or(string(*section.Labels), catalog.LabelsNone)
	}
	limits, err := section.limits(name)
	if err != nil {
		return repositoryConfig{}, err
	}
	return repositoryConfig{images: images, limits: limits, branches: string(section.Branches), options: catalog.BuildOptions{
		NoCache: section.NoCache, Pull: section.Pull, Args: args, Target: section.Target, Test: section.Test,
		Platform: string(section.Platform), Dockerfile: section.Dockerfile, Context: section.Context, Timestamps: section.Timestamps,
		KeepGit: section.KeepGit, Labels: labels, Source: section.Source,
	}}, nil
}

// argTexts returns the build args' values as they were written.
func argTexts(file string, nodes map[string]ast.Node) (map[string]string, error) {
	if len(nodes) == 0 {
		return nil, nil
	}
	args := make(map[string]string, len(nodes))
	for name, node := range nodes {
		switch n := node.(type) {
		case nil, *ast.NullNode:
			args[name] = ""
		case *ast.StringNode:
			args[name] = n.Value
		case *ast.LiteralNode:
			args[name] = n.Value.Value
		case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
			args[name] = n.GetToken().Value
		default:
			return nil, catalog.Errorf(catalog.Invalid, "%s: the value of build arg %s must be text; write it in quotes", file, name)
		}
	}
	return args, nil
}

// configError turns the parser's error about a section, which may have keys, into a sentence without the source
// excerpt that it prints.
func configError(name, section, keys string, err error) error {
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		return catalog.Errorf(catalog.Invalid, "%s line %d: unknown key %q under %s; the keys are: %s",
			name, unknown.Token.Position.Line, unknown.Token.Value, section, keys)
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return catalog.Wrap(catalog.Invalid, err, "%s line %d: %s", name, at.GetToken().Position.Line, at.GetMessage())
	}
	return catalog.Wrap(catalog.Invalid, err, "%s is not valid YAML", name)
}
