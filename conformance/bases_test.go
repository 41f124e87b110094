package conformance

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// baseLayers are the layers of all base images.
var baseLayers = map[v1.Hash]bool{}

// base is an image that Dockerfiles take by FROM @name.
type base struct {
	name    string
	layers  [][]tar.Header // files have their text in PAXRecords["text"]
	raw     bool           // layers are not compressed
	docker  bool           // Docker's media types
	config  map[string]any // merged over the usual one
	history []any          // nil: as a build leaves it; empty: the field is missing
}

var applets = strings.Fields(`sh ash cat ls find stat echo printf touch mkdir rm rmdir mv cp ln chmod chown chgrp test [ true false env id pwd
	sed awk grep sort uniq head tail wc tr cut od xxd md5sum sha256sum gzip gunzip zcat tar date sleep readlink realpath dirname basename
	expr seq tee xargs dd diff cmp mknod mkfifo sync whoami hostname uname du df mktemp install setsid timeout nproc adduser addgroup which yes`)

func dir(path string, mode int64, owner ...int) tar.Header {
	h := tar.Header{Typeflag: tar.TypeDir, Name: path + "/", Mode: mode}
	return owned(h, owner)
}

func file(path, text string, mode int64, owner ...int) tar.Header {
	h := tar.Header{Typeflag: tar.TypeReg, Name: path, Mode: mode, Size: int64(len(text)), PAXRecords: map[string]string{"text": text}}
	return owned(h, owner)
}

func symlink(path, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: path, Linkname: target, Mode: 0o777}
}

func hardlink(path, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: path, Linkname: target, Mode: 0o755}
}

func owned(h tar.Header, owner []int) tar.Header {
	if len(owner) == 2 {
		h.Uid, h.Gid = owner[0], owner[1]
	}
	return h
}

func attribute(h tar.Header, name, value string) tar.Header {
	h.PAXRecords["SCHILY.xattr."+name] = value
	return h
}

const passwd = "root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1:daemon:/usr/sbin:/bin/false\nwww-data:x:33:33:www:/var/www:/bin/false\nnode:x:1000:1000::/home/node:/bin/sh\napp:x:1234:4321::/home/app:/bin/sh\n"
const group = "root:x:0:\ndaemon:x:1:\nwww-data:x:33:\nnode:x:1000:\nstaff:x:50:\nappgroup:x:4321:app\n"

// system is what a small distribution's layer holds.
func system() ([]tar.Header, error) {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list := []tar.Header{
		dir("bin", 0o755), file("bin/busybox", string(program), 0o755),
		dir("etc", 0o755), file("etc/passwd", passwd, 0o644), file("etc/group", group, 0o644), file("etc/shadow", "root:*::0:::::\n", 0o640, 0, 42),
		dir("home", 0o755), dir("home/node", 0o755, 1000, 1000), dir("home/app", 0o2750, 1234, 4321),
		dir("root", 0o700), dir("srv", 0o755), dir("tmp", 0o1777), dir("opt", 0o755),
		dir("usr", 0o755), dir("usr/bin", 0o755), dir("usr/local", 0o755), dir("usr/local/bin", 0o755),
		dir("var", 0o755), dir("var/www", 0o755, 33, 33), dir("var/tmp", 0o1777), symlink("var/run", "/run"), dir("run", 0o755),
	}
	for _, a := range applets {
		list = append(list, symlink("bin/"+a, "busybox"))
	}
	return list, nil
}

// capability is cap_net_bind_service=ep as the kernel keeps it.
const capability = "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// odd is a layer of what images hold beside plain files.
func odd() []tar.Header {
	return []tar.Header{
		dir("data", 0o755), dir("data/real", 0o755), file("data/real/kept", "kept\n", 0o644, 7, 8), symlink("data/abs", "/data/real"), symlink("data/rel", "real"),
		symlink("data/dangling", "/data/nowhere/deep"), symlink("data/toroot", "/"), symlink("data/loop", "loop"), symlink("lnk", "data/rel"),
		symlink("data/up", "../../../../data/real"), dir("data/owned", 0o2775, 1000, 50), file("data/owned/f", "f\n", 0o664, 1000, 50),
		dir("data/secret", 0o700, 33, 33), dir("data/sticky", 0o1777), file("data/file", "a file\n", 0o600, 5, 6),
		file("data/setuid", "x", 0o4755), attribute(file("data/capable", "x", 0o755), "security.capability", capability),
		attribute(file("data/attr", "x", 0o644), "user.note", "hello"),
		file("data/h1", "linked\n", 0o644), hardlink("data/h2", "data/h1"), hardlink("data/real/h3", "data/h1"),
		{Typeflag: tar.TypeFifo, Name: "data/fifo", Mode: 0o600}, {Typeflag: tar.TypeChar, Name: "data/null", Mode: 0o666, Devmajor: 1, Devminor: 3},
		dir("full", 0o755), file("full/a", "a\n", 0o644), file("full/b", "b\n", 0o644), dir("full/d", 0o711, 3, 4), file("full/d/x", "x\n", 0o640, 3, 4),
	}
}

func bases() ([]base, error) {
	sys, err := system()
	if err != nil {
		return nil, err
	}
	old := "1980-01-01T00:00:01Z"
	health := map[string]any{"Test": []any{"CMD-SHELL", "true"}, "Interval": 30e9, "StartInterval": 1e9, "Retries": 4}
	full := map[string]any{
		"Env": []any{"PATH=/usr/local/bin:/bin", "HOME_OF=/srv", "EMPTY=", "SPACED=a b", "DOLLAR=$x"}, "Cmd": []any{"sh"}, "Entrypoint": []any{"/bin/env"},
		"User": "node:staff", "WorkingDir": "/srv", "Labels": map[string]any{"one": "1", "two words": "x y"}, "Volumes": map[string]any{"/vol": map[string]any{}},
		"ExposedPorts": map[string]any{"80/tcp": map[string]any{}, "53/udp": map[string]any{}}, "StopSignal": "SIGQUIT", "Shell": []any{"/bin/sh", "-ec"},
		"Healthcheck": health, "ArgsEscaped": true, "StopTimeout": 7,
	}
	unknown := map[string]any{
		"config":         map[string]any{"Env": []any{"PATH=/bin"}, "X-Unknown": map[string]any{"deep": []any{1.5, "two", nil}}, "Healthcheck": health},
		"com.example.it": "kept", "author": "Someone <a@b>", "docker_version": "20.10.0", "container_config": map[string]any{"Hostname": "h"}, "variant": "",
	}
	return []base{
		{name: "base", layers: [][]tar.Header{sys}},
		{name: "hollow", layers: [][]tar.Header{{dir("etc", 0o755), file("etc/passwd", passwd, 0o644), file("etc/group", group, 0o644)}}},
		{name: "tools", layers: [][]tar.Header{sys, tools()}},
		{name: "odd", layers: [][]tar.Header{sys, odd(), {dir("full", 0o755), file("full/.wh.b", "", 0o600)}}},
		{name: "raw", layers: [][]tar.Header{sys, odd()}, raw: true},
		{name: "docker", layers: [][]tar.Header{sys}, docker: true},
		{name: "full", layers: [][]tar.Header{sys}, config: map[string]any{"config": full}},
		{name: "unknown", layers: [][]tar.Header{sys}, config: unknown},
		{name: "onbuild", layers: [][]tar.Header{sys}, config: map[string]any{"config": map[string]any{
			"Env": []any{"PATH=/bin"}, "OnBuild": []any{"ARG WHAT=onbuild", "COPY . /onbuild/", "RUN echo $WHAT > /onbuild/said", "ENV LATE=1"},
		}}},
		{name: "oldhistory", layers: [][]tar.Header{sys}, history: []any{
			map[string]any{"created": old, "created_by": "layer", "author": "buildpacks", "comment": "c"},
			map[string]any{"created": old, "created_by": "env", "empty_layer": true}, map[string]any{"empty_layer": true},
		}},
		{name: "nohistory", layers: [][]tar.Header{sys, odd()}, history: []any{}},
	}, nil
}

// pushBases puts every base image into the daemon's registry, where both sides
// find it.
func (e *env) pushBases(ctx context.Context) error {
	list, err := bases()
	if err != nil {
		return err
	}
	for _, b := range list {
		if err := e.pushBase(ctx, b); err != nil {
			return fmt.Errorf("base image %s: %w", b.name, err)
		}
	}
	return nil
}

// rawManifest is a manifest that goes as it is.
type rawManifest struct {
	raw       []byte
	mediaType types.MediaType
}

func (m rawManifest) RawManifest() ([]byte, error)        { return m.raw, nil }
func (m rawManifest) MediaType() (types.MediaType, error) { return m.mediaType, nil }

func (b base) mediaTypes() (manifest, config, layer types.MediaType) {
	manifest, config, layer = types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer
	if b.docker {
		manifest, config, layer = types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer
	}
	if b.raw {
		layer = types.OCIUncompressedLayer
	}
	return manifest, config, layer
}

func (e *env) pushBase(ctx context.Context, b base) error {
	tag, err := name.NewTag(e.reference(b.name, "1"), name.Insecure)
	if err != nil {
		return err
	}
	manifestType, configType, layerType := b.mediaTypes()
	with := []remote.Option{remote.WithAuth(e.auth()), remote.WithContext(ctx)}
	upload := func(blob []byte, mediaType types.MediaType) (v1.Descriptor, error) {
		layer := static.NewLayer(blob, mediaType)
		hash, err := layer.Digest()
		if err != nil {
			return v1.Descriptor{}, err
		}
		return v1.Descriptor{MediaType: mediaType, Size: int64(len(blob)), Digest: hash}, remote.WriteLayer(tag.Repository, layer, with...)
	}
	manifest := v1.Manifest{SchemaVersion: 2, MediaType: manifestType}
	var ids []any
	for _, headers := range b.layers {
		plain, err := archive(headers)
		if err != nil {
			return err
		}
		id, err := static.NewLayer(plain, layerType).Digest()
		if err != nil {
			return err
		}
		ids = append(ids, id.String())
		blob := plain
		if !b.raw {
			blob = compress(plain)
		}
		d, err := upload(blob, layerType)
		if err != nil {
			return err
		}
		manifest.Layers = append(manifest.Layers, d)
		baseLayers[d.Digest] = true
	}
	config, err := json.Marshal(b.configuration(ids))
	if err != nil {
		return err
	}
	if manifest.Config, err = upload(config, configType); err != nil {
		return err
	}
	raw, err := json.Marshal(manifest)
	if err != nil {
		return err
	}
	return remote.Put(tag, rawManifest{raw, manifestType}, with...)
}

func (b base) configuration(ids []any) map[string]any {
	config := map[string]any{
		"architecture": "amd64", "os": "linux", "created": "2020-05-05T05:05:05Z",
		"config": map[string]any{"Env": []any{"PATH=/usr/local/bin:/usr/bin:/bin"}, "Cmd": []any{"/bin/sh"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	}
	history := b.history
	if history == nil {
		for i := range ids {
			history = append(history, map[string]any{"created": "2020-05-05T05:05:05.5Z", "created_by": fmt.Sprintf("layer %d of %s", i, b.name), "comment": "made for tests"})
		}
	}
	if len(history) > 0 {
		config["history"] = history
	}
	for key, value := range b.config {
		config[key] = value
	}
	return config
}

func archive(headers []tar.Header) ([]byte, error) {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range headers {
		text := h.PAXRecords["text"]
		records := map[string]string{}
		for k, v := range h.PAXRecords {
			if k != "text" {
				records[k] = v
			}
		}
		h.PAXRecords, h.ModTime = records, time.Unix(1588655105, 0)
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	return out.Bytes(), w.Close()
}

func compress(plain []byte) []byte {
	var out bytes.Buffer
	w, _ := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	_, _ = w.Write(plain) // to memory
	_ = w.Close()
	return out.Bytes()
}
