package main

import "strings"

// Floors, from the cellar to the roof. A test may use whatever lies on its own floor or below.
const (
	floorHelpers  = iota // internal/...: knows no other floor
	floorParts           // ring, counter, gossip, journal, flush: know no other part
	floorNode            // joins the parts
	floorDoors           // httpapi, bench: what stands between a node and the outside
	floorPrograms        // commands and scripts
)

// internalRoom is the room of the packages below internal/ that have none of their own: every floor may use them.
const internalRoom = "internal"

// room is a folder of packages with one rule. A longer folder wins over a shorter one.
type room struct {
	dir      string
	floor    int
	uses     []string // rooms that its production files may import; itself and internal/ always; "*": every lower floor
	core     bool     // no I/O, no clock, no randomness, no goroutine
	forTests bool     // only tests, rooms for tests and rooms that name it may import it
	why      string   // the reason, said when an arrow breaks the rule
}

// library is an import path prefix of another module, and the only rooms that may import it.
type library struct {
	prefix  string
	rooms   []string
	inTests bool // every test may import it
	why     string
}

// outside is an import path prefix that leads out of a core room's pure world.
type outside struct{ prefix, why string }

// rules is everything that the check knows.
type rules struct {
	rooms     []room
	libraries []library
	outsides  []outside // what no core room may import
	clock     []string  // functions of package time that read or wait for a clock
}

// moduleRules returns the rules of this module.
func moduleRules() rules {
	const part = "the parts know each other only through node"
	return rules{
		rooms: []room{
			{dir: internalRoom, floor: floorHelpers, why: "helpers serve every floor and know none of them"},
			{dir: "internal/pgtest", floor: floorHelpers, forTests: true, why: "pgtest knows Postgres and nothing of Pinocchio"},
			{dir: "internal/child", floor: floorHelpers, forTests: true, why: "child knows processes and not what they run"},
			{dir: "internal/certs/certtest", floor: floorHelpers, forTests: true, why: "only tests make their own certificates"},
			{dir: "internal/access", floor: floorHelpers, why: "access knows credentials, not routes"},
			{dir: "internal/limit", floor: floorHelpers, why: "limit counts for whom it is told to"},
			{
				dir: "internal/sim", floor: floorNode, uses: []string{"counter", "journal", "journal/disktest"}, forTests: true,
				why: "the simulation plays core and log alone",
			},
			{dir: "ring", floor: floorParts, core: true, why: part},
			{dir: "counter", floor: floorParts, core: true, why: part},
			{dir: "gossip", floor: floorParts, why: part},
			{dir: "journal", floor: floorParts, why: part},
			{dir: "flush", floor: floorParts, why: part},
			{dir: "flush/strategy", floor: floorParts, why: "the strategies are compared with the service, not built on it"},
			{
				dir: "node", floor: floorNode, uses: []string{"ring", "counter", "gossip", "journal", "flush", "internal/limit"},
				why: "node joins the parts and knows nothing of routes or commands",
			},
			{dir: "httpapi", floor: floorDoors, uses: []string{"node", "internal/access", "internal/limit"}, why: "httpapi reaches the parts only through node"},
			{dir: "dashboard", floor: floorDoors, uses: []string{"node"}, why: "the live page knows a node, and the API only by its routes"},
			{dir: "bench", floor: floorDoors, uses: []string{"bench/chart"}, why: "the load generator sees a cluster from outside, as a client does"},
			{dir: "bench/chart", floor: floorHelpers, why: "chart draws figures and knows nobody who measured them"},
			{dir: "client", floor: floorDoors, why: "the Go client sees a cluster from outside and must drag no server into programs that use it"},
			{dir: "cmd", floor: floorPrograms, uses: []string{"*"}, why: "nothing imports a command"},
			{
				dir: "scripts", floor: floorPrograms, uses: []string{"bench", "internal/pgtest", "internal/child"},
				why: "a script works on Pinocchio from outside",
			},
		},
		libraries: []library{
			{prefix: "github.com/buraksezer/consistent", rooms: []string{"ring"}, why: "placement is decided in ring alone"},
			{prefix: "github.com/hashicorp/memberlist", rooms: []string{"gossip"}, why: "gossip hides its library"},
			{prefix: "github.com/jackc/pgx", rooms: []string{"flush", "flush/strategy"}, inTests: true, why: "only flush talks to a database"},
			{prefix: "modernc.org/sqlite", rooms: []string{"flush"}, inTests: true, why: "only flush talks to a database"},
			{prefix: "database/sql", rooms: []string{"flush"}, inTests: true, why: "only flush talks to a database"},
			{prefix: "go.yaml.in/yaml", rooms: []string{"cmd"}, inTests: true, why: "settings are read by the command alone"},
			{prefix: "github.com/getkin/kin-openapi", inTests: true, why: "only tests compare the API with its document"},
			{prefix: "github.com/golang-jwt/jwt", rooms: []string{"internal/access"}, inTests: true, why: "only access reads tokens"},
			{prefix: "gonum.org/v1/plot", rooms: []string{"bench/chart"}, why: "only bench/chart draws"},
			{prefix: "github.com/chromedp", rooms: []string{"scripts"}, inTests: true, why: "only tests and pictures need a browser"},
			{
				prefix: "github.com/valyala/fasthttp", rooms: []string{"httpapi", "dashboard", "node", "bench", "cmd", "scripts"}, inTests: true,
				why: "HTTP ends at httpapi, and between nodes at node's links",
			},
		},
		outsides: []outside{
			{"os", "the core does no I/O"},
			{"io/fs", "the core does no I/O"},
			{"net", "the core does no I/O"},
			{"syscall", "the core does no I/O"},
			{"log", "the core does no I/O"},
			{"time", "the core has no clock: its caller says what happens when"},
			{"math/rand", "the same steps must give the same states"},
			{"crypto/rand", "the same steps must give the same states"},
		},
		clock: []string{"Now", "Sleep", "Since", "Until", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"},
	}
}

// roomOf returns the room that a folder of the module lies in: the one with the longest matching name.
func (r rules) roomOf(dir string) (room, bool) {
	var best room
	for _, c := range r.rooms {
		if below(dir, c.dir) && len(c.dir) > len(best.dir) {
			best = c
		}
	}
	return best, best.dir != ""
}

// below says whether the slash-separated name is prefix or lies under it.
func below(name, prefix string) bool {
	rest, ok := strings.CutPrefix(name, prefix)
	return ok && (rest == "" || rest[0] == '/')
}
