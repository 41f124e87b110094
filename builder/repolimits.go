package builder

import (
	"time"

	"github.com/docker/go-units"
	"github.com/goccy/go-yaml"

	"github.com/fandoghpaas/fandogh/catalog"
)

const limitKeyList = "cpus, disk, log, memory, pids, timeout"

// limitsSection is `limits:` under `build:` of a repository's own configuration: what its builds make do with of what they
// may use.
type limitsSection struct {
	CPUs    float64     `yaml:"cpus"`
	Memory  limitSize   `yaml:"memory"`
	PIDs    int64       `yaml:"pids"`
	Disk    limitSize   `yaml:"disk"`
	Log     limitSize   `yaml:"log"`
	Timeout limitPeriod `yaml:"timeout"`
}

// limitSize is a number of bytes, as 512MiB.
type limitSize int64

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (s *limitSize) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	n, err := units.RAMInBytes(text)
	if err != nil || n < 0 {
		return catalog.Errorf(catalog.Invalid, "%q is not a valid size; write it as 512MiB or 2GiB", text)
	}
	*s = limitSize(n)
	return nil
}

// limitPeriod is a time, as 10m.
type limitPeriod time.Duration

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (p *limitPeriod) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if err := unmarshal(&text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return catalog.Errorf(catalog.Invalid, "%q is not a valid duration; write it as 90s, 10m or 1h30m", text)
	}
	*p = limitPeriod(d)
	return nil
}

// limits returns what the repository asks for.
func (b buildSection) limits(file string) (limits catalog.BuildLimits, err error) {
	if b.Limits == nil {
		return limits, nil
	}
	var l limitsSection
	err = yaml.NodeToValue(b.Limits, &l, yaml.Strict())
	if err != nil && catalog.CodeOf(err) != catalog.Invalid {
		return limits, configError(file, "limits", limitKeyList, err)
	}
	limits = catalog.BuildLimits{
		CPUs: l.CPUs, Memory: int64(l.Memory), PIDs: l.PIDs, Disk: int64(l.Disk), Log: int64(l.Log), Timeout: time.Duration(l.Timeout),
	}
	if err == nil {
		err = limits.Validate()
	}
	if err != nil {
		return limits, catalog.Errorf(catalog.Invalid, "%s: build.limits: %s", file, catalog.MessageOf(err))
	}
	return limits, nil
}
