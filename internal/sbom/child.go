package sbom

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	config "github.com/google/osv-scalibr/binary/proto/config_go_proto"
	"github.com/google/osv-scalibr/converter"
	"github.com/google/osv-scalibr/converter/spdx"
	"github.com/google/osv-scalibr/extractor"
	"github.com/google/osv-scalibr/extractor/filesystem"
	"github.com/google/osv-scalibr/extractor/filesystem/language/dotnet/depsjson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/golang/gobinary"
	"github.com/google/osv-scalibr/extractor/filesystem/language/java/archive"
	"github.com/google/osv-scalibr/extractor/filesystem/language/javascript/packagejson"
	"github.com/google/osv-scalibr/extractor/filesystem/language/php/composerlock"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/condameta"
	"github.com/google/osv-scalibr/extractor/filesystem/language/python/wheelegg"
	"github.com/google/osv-scalibr/extractor/filesystem/language/ruby/gemspec"
	"github.com/google/osv-scalibr/extractor/filesystem/language/rust/cargoauditable"
	"github.com/google/osv-scalibr/extractor/filesystem/os/apk"
	"github.com/google/osv-scalibr/extractor/filesystem/os/dpkg"
	"github.com/google/osv-scalibr/extractor/filesystem/os/pacman"
	"github.com/google/osv-scalibr/extractor/filesystem/os/rpm"
	scalibrfs "github.com/google/osv-scalibr/fs"
	"github.com/google/osv-scalibr/inventory"
	"github.com/google/osv-scalibr/log"
	"github.com/google/osv-scalibr/plugin"
	"github.com/google/osv-scalibr/stats"
	packageurl "github.com/package-url/packageurl-go"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"golang.org/x/sys/unix"

	"github.com/fandoghpaas/fandogh/internal/bounded"
	"github.com/fandoghpaas/fandogh/internal/confined"
)

// child is what reads an image's files.
var child = confined.Child{Name: "fandogh-sbom", Memory: maxMemory, Time: maxTime, Open: maxDepth, Temporary: maxTemporary}

const (
	maxMemory    = 1 << 30
	maxTime      = 5 * time.Minute
	maxTemporary = 512 << 20 // a database of rpm, which is copied
	maxUnread    = 100       // files that are named for not having been read
)

// temporary is where the child may write, and where the image's own files are not looked at.
const temporary = confined.TemporaryDir + "/"

// Main does not return in a child. Call it before anything else in main.
func Main() {
	if child.Is() {
		child.Main(runChild)
	}
}

// namedExtractors find what is installed by the names of files. What a lock file asks for need not be installed; composer alone
// leaves nothing else.
func namedExtractors() []filesystem.Extractor {
	return extractors(dpkg.New, apk.New, rpm.New, pacman.New, wheelegg.New, condameta.New, packagejson.New, gemspec.New,
		archive.New, depsjson.New, composerlock.New)
}

// programExtractors find what was linked into programs.
func programExtractors() []filesystem.Extractor {
	return extractors(gobinary.New, cargoauditable.New)
}

func extractors(all ...func(*config.PluginConfig) (filesystem.Extractor, error)) []filesystem.Extractor {
	made := make([]filesystem.Extractor, len(all))
	for i, make := range all {
		var err error
		if made[i], err = make(&config.PluginConfig{}); err != nil {
			panic(err) // of a configuration, which has nothing in it
		}
	}
	return made
}

// runChild reads the description of an image from the socket to its end, looks at the files in the working directory,
// and writes the document.
func runChild(conn net.Conn) error {
	log.SetLogger(silent{})
	if err := child.Confine(); err != nil {
		return err
	}
	debug.SetGCPercent(100)
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, 19); err != nil {
		return err
	}
	if _, err := conn.Write([]byte{0}); err != nil {
		return err
	}
	asked, err := bounded.ReadAll(conn, 1<<20)
	if err != nil {
		return err
	}
	var of document
	if err := json.Unmarshal(asked, &of); err != nil {
		return err
	}
	if err := child.LimitTime(); err != nil {
		return err
	}
	if err := allRead(os.DirFS(".")); err != nil {
		return err
	}
	found, statuses, err := filesystem.Run(context.Background(), &filesystem.Config{
		Extractors: append(namedExtractors(), programExtractors()...),
		ScanRoots:  []*scalibrfs.ScanRoot{{FS: scalibrfs.DirFS(".")}},
		DirsToSkip: []string{confined.TemporaryDir},
		Stats:      stats.NoopCollector{},
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(of.spdx(found, unread(statuses)))
	if err != nil {
		return err
	}
	_, err = conn.Write(text)
	return err
}

// allRead reads all directories: the scan leaves out without a word what it can't.
func allRead(files fs.FS) error {
	return fs.WalkDir(files, ".", func(_ string, _ fs.DirEntry, err error) error { return err })
}

// unread names the files that could not be read.
func unread(statuses []*plugin.Status) (names []string) {
	for _, s := range statuses {
		for _, e := range s.Status.FileErrors {
			names = append(names, e.FilePath)
		}
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > maxUnread {
		names = append(names[:maxUnread], "and more")
	}
	return names
}

// document is what a document says of itself.
type document struct {
	Image     string // repository with the registry's host
	Version   string
	Digest    string // "sha256:…" of the image's manifest
	Namespace string // URI
	Tool      string
	Created   time.Time
}

const imageID = "Package-image"

// spdx describes the packages, in an order that depends on nothing else.
func (d document) spdx(found inventory.Inventory, unread []string) *v2_3.Document {
	for _, p := range found.Packages {
		nameGo(p)
	}
	slices.SortFunc(found.Packages, func(a, b *extractor.Package) int {
		return cmp.Or(cmp.Compare(urlOf(a), urlOf(b)), cmp.Compare(a.Location.PathOrEmpty(), b.Location.PathOrEmpty()), cmp.Compare(a.Name+" "+a.Version, b.Name+" "+b.Version))
	})
	for i, p := range found.Packages {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %d", urlOf(p), p.Location.PathOrEmpty(), i))
		p.ID = hex.EncodeToString(sum[:8])
	}
	doc := converter.ToSPDX23(found, spdx.Config{
		DocumentName: d.Image + ":" + d.Version, DocumentNamespace: d.Namespace,
		Creators: []common.Creator{{CreatorType: "Tool", Creator: d.Tool}},
	})
	doc.CreationInfo.Created = d.Created.UTC().Format(time.RFC3339)
	if len(unread) > 0 {
		doc.CreationInfo.CreatorComment = "These files could not be read: " + strings.Join(unread, ", ")
	}
	for _, p := range doc.Packages {
		for _, r := range p.PackageExternalReferences {
			r.Locator = strings.TrimSuffix(r.Locator, "?source=UNKNOWN") // of npm's packages, where no lock file says it
		}
	}
	// The first package is what contains the others.
	random := doc.Packages[0].PackageSPDXIdentifier
	d.describe(doc.Packages[0])
	doc.Relationships = slices.DeleteFunc(doc.Relationships, func(r *v2_3.Relationship) bool {
		for _, end := range []*common.DocElementID{&r.RefA, &r.RefB} {
			if end.ElementRefID == random {
				end.ElementRefID = imageID
			}
		}
		return strings.HasSuffix(string(r.RefB.ElementRefID), spdx.NoAssertion)
	})
	return doc
}

// describe makes a package the image.
func (d document) describe(p *v2_3.Package) {
	hash := strings.TrimPrefix(d.Digest, "sha256:")
	url := packageurl.NewPackageURL(packageurl.TypeOCI, "", path.Base(d.Image), d.Digest,
		packageurl.QualifiersFromMap(map[string]string{"repository_url": d.Image, "tag": d.Version}), "")
	p.PackageSPDXIdentifier, p.PackageName, p.PackageVersion, p.PrimaryPackagePurpose = imageID, d.Image, d.Version, "CONTAINER"
	p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: hash}}
	p.PackageExternalReferences = []*v2_3.PackageExternalReference{{
		Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL,
		Locator: url.ToString(),
	}}
}

// nameGo gives what is of Go the names that it has in lists of vulnerabilities.
func nameGo(p *extractor.Package) {
	switch {
	case p.PURLType != packageurl.TypeGolang:
	case p.Name == "go":
		p.Name = "stdlib"
	case !strings.HasPrefix(p.Version, "("): // "(devel)"
		p.Version = "v" + p.Version
	}
}

func urlOf(p *extractor.Package) string {
	if url := p.PURL(); url != nil {
		return url.String()
	}
	return ""
}

// silent is a log.Logger: what there is to say is in the document.
type silent struct{}

func (silent) Errorf(string, ...any) {}
func (silent) Error(...any)          {}
func (silent) Warnf(string, ...any)  {}
func (silent) Warn(...any)           {}
func (silent) Infof(string, ...any)  {}
func (silent) Info(...any)           {}
func (silent) Debugf(string, ...any) {}
func (silent) Debug(...any)          {}
