package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/fandoghpaas/fandogh/config"
)

// TestDeployedSettings loads the settings that the package, the image and compose.yaml bring.
func TestDeployedSettings(t *testing.T) {
	read := func(file string) []byte {
		t.Helper()
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	c, err := config.Load("../../deploy/package/config.yaml", nil)
	if err != nil || c.Validate() != nil || c.Data != "/var/lib/fandogh" {
		t.Errorf("the package's: %v, %v, data %s", err, c.Validate(), c.Data)
	}

	var image []string
	for _, m := range regexp.MustCompile(`\b(FANDOGH_[A-Z_]+=\S+)`).FindAllStringSubmatch(string(read("../../deploy/image/Dockerfile")), -1) {
		image = append(image, m[1])
	}
	var compose struct {
		Services map[string]struct{ Environment map[string]string }
	}
	if err := yaml.Unmarshal(read("../../deploy/compose.yaml"), &compose); err != nil {
		t.Fatal(err)
	}
	environ := image
	for name, value := range compose.Services["fandoghd"].Environment {
		environ = append(environ, name+"="+value)
	}
	if len(image) < 4 || len(environ) < len(image)+2 {
		t.Fatalf("saw only %v", environ)
	}
	if c, err = config.Load("", environ); err != nil || c.Validate() != nil || c.Data != "/var/lib/fandogh" {
		t.Errorf("the container's: %v, %v, data %s", err, c.Validate(), c.Data)
	}
}
