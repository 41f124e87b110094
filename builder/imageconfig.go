package builder

import (
	"cmp"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"

	"github.com/fandoghpaas/fandogh/catalog"
)

const imageKeyList = "args, context, dockerfile, name, paths, platform, tag_prefix, target"

// imageSection is one entry of `images:` in a repository's own configuration. What it leaves open is as under `build:`.
type imageSection struct {
	Name       string              `yaml:"name"`
	TagPrefix  string              `yaml:"tag_prefix"`
	Args       map[string]ast.Node `yaml:"args"`
	Target     string              `yaml:"target"`
	Platform   string              `yaml:"platform"`
	Dockerfile string              `yaml:"dockerfile"`
	Context    string              `yaml:"context"`
	Paths      patternList         `yaml:"paths"`
}

// patternList is a list of patterns, or one of them.
type patternList []string

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (l *patternList) UnmarshalYAML(unmarshal func(any) error) error {
	var one string
	if err := unmarshal(&one); err == nil {
		*l = patternList{one}
		return nil
	}
	return unmarshal((*[]string)(l))
}

// configuredImage is one of the images that a commit is built as.
type configuredImage struct {
	catalog.ImageEntry
	options catalog.BuildOptions
	paths   []string // as SolveRequest.Paths
}

// readImages returns the entries of `images:`.
func readImages(file string, nodes []ast.Node) ([]configuredImage, error) {
	if len(nodes) > catalog.MaxImages {
		return nil, catalog.Errorf(catalog.Invalid, "%s lists %d images; one repository is built as %d at most", file, len(nodes), catalog.MaxImages)
	}
	var images []configuredImage
	lines := map[string]int{}
	for _, node := range nodes {
		if _, isNull := node.(*ast.NullNode); isNull || node == nil {
			return nil, catalog.Errorf(catalog.Invalid, "%s lists an image without a name", file)
		}
		line := node.GetToken().Position.Line
		image, err := readImage(file, node)
		if err != nil {
			return nil, err
		}
		name := strings.ToLower(image.Name)
		if lines[name] != 0 {
			return nil, catalog.Errorf(catalog.Invalid, "%s line %d: image %s is listed twice, first in line %d; image names do not differ by case alone", file, line, image.Name, lines[name])
		}
		lines[name] = line
		images = append(images, image)
	}
	return images, nil
}

func readImage(file string, node ast.Node) (configuredImage, error) {
	var section imageSection
	if err := yaml.NodeToValue(node, &section, yaml.Strict()); err != nil {
		return configuredImage{}, configError(file, "images", imageKeyList, err)
	}
	args, err := argTexts(file, section.Args)
	if err != nil {
		return configuredImage{}, err
	}
	paths, unusable := normalPaths(section.Paths)
	image := configuredImage{
		catalog.ImageEntry{Name: section.Name, Context: section.Context, TagPrefix: section.TagPrefix},
		catalog.BuildOptions{Args: args, Target: section.Target, Platform: section.Platform, Dockerfile: section.Dockerfile, Context: section.Context},
		paths,
	}
	err = cmp.Or(catalog.ValidateImageName(image.Name), catalog.CheckTagPrefix(image.TagPrefix), image.options.Validate(), unusable)
	if err != nil {
		return image, catalog.Errorf(catalog.Invalid, "%s line %d: %s", file, node.GetToken().Position.Line, catalog.MessageOf(err))
	}
	return image, nil
}

// listed returns what a repository says of one image; what is said of all, when it is not listed.
func (c repositoryConfig) listed(image string) (found configuredImage) {
	for _, i := range c.images {
		if strings.EqualFold(i.Name, image) {
			found = i
		}
	}
	found.options = found.options.WithDefaults(c.options)
	return found
}

// entries are the images that are listed.
func (c repositoryConfig) entries() (entries []catalog.ImageEntry) {
	for _, i := range c.images {
		entries = append(entries, i.ImageEntry)
	}
	return entries
}
