package haigha_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"haigha"
)

// tlsInFrontOf has a certificate for localhost, writes its authority to a file, and forwards to a broker.
func tlsInFrontOf(t *testing.T, address string) (port int, authority string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	certificate := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "localhost"},
		DNSNames:              []string{"localhost"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	made, err := x509.CreateCertificate(rand.Reader, certificate, certificate, &key.PublicKey, key)
	check(t, err)
	authority = filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: made})
	check(t, os.WriteFile(authority, text, 0o600))
	listener, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{made}, PrivateKey: key}},
	})
	check(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go forward(client, address)
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port, authority
}

func forward(client net.Conn, address string) {
	defer client.Close()
	broker, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer broker.Close()
	go io.Copy(broker, client)
	io.Copy(client, broker)
}

func TestTLS(t *testing.T) {
	e := stubEnv(t)
	_, address, _ := strings.Cut(strings.TrimSuffix(e.uri, "/"), "@")
	address, _, _ = strings.Cut(address, "/")
	port, authority := tlsInFrontOf(t, address)
	e.uri = "amqps://guest:guest@localhost:" + strconv.Itoa(port) + "?address_family=4"

	connection := e.connect(haigha.Options{"cacertfile": authority})
	channel := e.channelOf(connection)
	e.declare(channel)
	e.publish(channel, "one")
	equal(t, string(e.get(channel).Body), "one")
	peer, err := connection.PeerInfo()
	check(t, err)
	same(t, peer["security"], "tls")
	same(t, peer["tls_verified"], "chain and name")

	_, err = haigha.Connect(e.ctx, e.uri) // by an authority that nobody knows
	is(t, err, haigha.ErrTLS)
	_, err = haigha.Connect(e.ctx, e.uri, haigha.Options{"cacertfile": "no such file"})
	if err == nil {
		t.Fatal("an authority that does not exist")
	}
}
