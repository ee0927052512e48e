// Package peer is the same service as verve-fcgi, the way a good Go programmer
// would write it: gin, one store behind an interface. The stores are goredis
// and rueidis. It is a little cheaper than the contract allows: the window is
// its own clock's, and a callback's endpoint is checked less.
package peer

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

const (
	windowSeconds = 60
	// Timeout is the time limit of one round trip to Redis.
	Timeout = 250 * time.Millisecond
	// TTL is how long an id is remembered.
	TTL = 2 * windowSeconds * time.Second
	// QueueKey is the list of jobs.
	QueueKey = "peer:callbacks"
)

// Store counts ids in Redis.
type Store interface {
	// Accept notes that id was seen in this window, and returns the number of
	// unique ids so far.
	Accept(ctx context.Context, seenKey, countKey string) (int64, error)
	// Push puts a job into the queue.
	Push(ctx context.Context, job []byte) error
}

type job struct {
	ID       string `json:"id"`
	Endpoint string `json:"url"`
	Window   int64  `json:"window"`
	Count    int64  `json:"count"`
}

func newJob(endpoint string, window, count int64) ([]byte, error) {
	var id [16]byte
	if _, err := rand.Read(id[:]); err != nil {
		return nil, err
	}
	return json.Marshal(job{hex.EncodeToString(id[:]), endpoint, window, count})
}

func checkEndpoint(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") &&
		u.Host != "" && u.User == nil && len(text) <= 2048
}

func fail(c *gin.Context, status int) {
	c.String(status, "failed")
}

func accept(store Store) gin.HandlerFunc {
	return func(c *gin.Context) {
		id, err := strconv.ParseInt(c.Query("id"), 10, 64)
		endpoint := c.Query("endpoint")
		if err != nil || endpoint != "" && !checkEndpoint(endpoint) {
			fail(c, http.StatusBadRequest)
			return
		}
		window := time.Now().Unix() / windowSeconds * windowSeconds
		text := strconv.FormatInt(window, 10)
		count, err := store.Accept(c, "peer:seen:"+text+":"+strconv.FormatInt(id, 10),
			"peer:count:"+text)
		if err == nil && endpoint != "" {
			var bytes []byte
			if bytes, err = newJob(endpoint, window, count); err == nil {
				err = store.Push(c, bytes)
			}
		}
		if err != nil {
			fail(c, http.StatusServiceUnavailable)
			return
		}
		c.Header("Verve-Window", time.Unix(window, 0).UTC().Format(time.RFC3339))
		c.String(http.StatusOK, "ok")
	}
}

// SocketPath is where Redis listens, out of VERVE_REDIS_URL (unix:///path).
func SocketPath() string {
	path, ok := strings.CutPrefix(os.Getenv("VERVE_REDIS_URL"), "unix://")
	if !ok {
		Die(fmt.Errorf("VERVE_REDIS_URL is no unix:// URL"))
	}
	return path
}

// Die ends the program.
func Die(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// listen takes the unix socket $SOCKET, for a web server in front, or else
// 127.0.0.1:$PORT.
func listen() net.Listener {
	network, address := "unix", os.Getenv("SOCKET")
	if address == "" {
		network, address = "tcp", "127.0.0.1:"+os.Getenv("PORT")
	}
	listener, err := net.Listen(network, address)
	if err != nil {
		Die(err)
	}
	return listener
}

// Serve answers requests until it is killed.
func Serve(store Store) {
	gin.SetMode(gin.ReleaseMode)
	engine := gin.New()
	engine.Use(gin.Recovery())
	engine.GET("/api/verve/accept", accept(store))
	engine.GET("/healthz", func(c *gin.Context) { c.String(http.StatusOK, "ok") })
	server := http.Server{
		Handler:           engine,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       time.Minute,
	}
	Die(server.Serve(listen()))
}
