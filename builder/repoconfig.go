package builder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/fandoghpaas/fandogh/catalog"
)

const (
	repositoryConfig  = ".fandogh/config.yml"
	maxConfigBytes    = 16 << 10 // the parser takes quadratic time for deep nesting
	repositoryKeyList = "args, context, dockerfile, no-cache, platform, pull, target"
)

// buildSection is `build:` of a repository's own configuration. The keys are
// the names of the push options; the file's other sections belong to clients.
type buildSection struct {
	NoCache    bool                `yaml:"no-cache"`
	Pull       bool                `yaml:"pull"`
	Args       map[string]ast.Node `yaml:"args"` // scalars, taken as written: 1.10 is not 1.1
	Target     string              `yaml:"target"`
	Platform   string              `yaml:"platform"`
	Dockerfile string              `yaml:"dockerfile"`
	Context    string              `yaml:"context"`
}

// repositoryOptions reads the build options a repository gives itself; without
// the file or its section they are the zero value. Errors: Invalid.
func repositoryOptions(tree fs.FS) (catalog.BuildOptions, error) {
	data, err := readConfig(tree)
	if err != nil || len(data) == 0 {
		return catalog.BuildOptions{}, err
	}
	return parseRepositoryConfig(data)
}

func readConfig(tree fs.FS) ([]byte, error) {
	file, err := tree.Open(repositoryConfig)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", repositoryConfig, err)
	}
	defer file.Close() //nolint:errcheck // read only
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("stat %s: %w", repositoryConfig, err)
	case !info.Mode().IsRegular():
		return nil, catalog.Errorf(catalog.Invalid, "%s must be a file", repositoryConfig)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxConfigBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", repositoryConfig, err)
	case len(data) > maxConfigBytes:
		return nil, catalog.Errorf(catalog.Invalid, "%s is larger than %s", repositoryConfig, humanSize(maxConfigBytes))
	}
	return data, nil
}

func parseRepositoryConfig(data []byte) (catalog.BuildOptions, error) {
	var file struct {
		Build ast.Node `yaml:"build"`
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		return catalog.BuildOptions{}, configError(err)
	}
	if file.Build == nil {
		return catalog.BuildOptions{}, nil
	}
	var section buildSection
	if err := yaml.NodeToValue(file.Build, &section, yaml.Strict()); err != nil {
		return catalog.BuildOptions{}, configError(err)
	}
	args, err := argTexts(section.Args)
	if err != nil {
		return catalog.BuildOptions{}, err
	}
	return catalog.BuildOptions{
		NoCache: section.NoCache, Pull: section.Pull, Args: args, Target: section.Target,
		Platform: section.Platform, Dockerfile: section.Dockerfile, Context: section.Context,
	}, nil
}

// argTexts returns the build args' values as they were written.
func argTexts(nodes map[string]ast.Node) (map[string]string, error) {
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
			return nil, catalog.Errorf(catalog.Invalid, "%s: the value of build arg %s must be text; write it in quotes", repositoryConfig, name)
		}
	}
	return args, nil
}

// configError turns the parser's error into a sentence without the source
// excerpt that it prints.
func configError(err error) error {
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) {
		return catalog.Errorf(catalog.Invalid, "%s line %d: unknown key %q under build; the keys are: %s",
			repositoryConfig, unknown.Token.Position.Line, unknown.Token.Value, repositoryKeyList)
	}
	var at yaml.Error
	if errors.As(err, &at) && at.GetToken() != nil {
		return catalog.Wrap(catalog.Invalid, err, "%s line %d: %s", repositoryConfig, at.GetToken().Position.Line, at.GetMessage())
	}
	return catalog.Wrap(catalog.Invalid, err, "%s is not readable YAML", repositoryConfig)
}
