package haigha

// #include "bridge_message.h"
import "C"

import "time"

// Values of Properties.DeliveryMode.
const (
	Transient  uint8 = 1
	Persistent uint8 = 2
)

// Bits of Properties.Present.
const (
	HasContentType     = C.HAIGHA_PROPERTY_CONTENT_TYPE
	HasContentEncoding = C.HAIGHA_PROPERTY_CONTENT_ENCODING
	HasHeaders         = C.HAIGHA_PROPERTY_HEADERS
	HasDeliveryMode    = C.HAIGHA_PROPERTY_DELIVERY_MODE
	HasPriority        = C.HAIGHA_PROPERTY_PRIORITY
	HasCorrelationID   = C.HAIGHA_PROPERTY_CORRELATION_ID
	HasReplyTo         = C.HAIGHA_PROPERTY_REPLY_TO
	HasExpiration      = C.HAIGHA_PROPERTY_EXPIRATION
	HasMessageID       = C.HAIGHA_PROPERTY_MESSAGE_ID
	HasTimestamp       = C.HAIGHA_PROPERTY_TIMESTAMP
	HasType            = C.HAIGHA_PROPERTY_TYPE
	HasUserID          = C.HAIGHA_PROPERTY_USER_ID
	HasAppID           = C.HAIGHA_PROPERTY_APP_ID
	HasClusterID       = C.HAIGHA_PROPERTY_CLUSTER_ID
)

// Properties of a message. One of zero value is not sent, unless Present has its bit.
type Properties struct {
	ContentType     string
	ContentEncoding string
	Headers         Table
	DeliveryMode    uint8 // Transient or Persistent
	Priority        uint8
	CorrelationID   string
	ReplyTo         string
	Expiration      string // RabbitMQ: milliseconds, as decimal text
	MessageID       string
	Timestamp       time.Time // in seconds; the zero Time is none
	Type            string
	UserID          string // RabbitMQ checks it against the connection's user
	AppID           string
	ClusterID       string
	// Has...: of what was received, which there were; to send, those to be sent with a zero value too.
	Present uint32
	// Of what was received: that they, or Headers alone, cannot be decoded, ErrMalformed. The message is
	// delivered all the same, without them; and a publish with these properties is refused.
	Err error
}

func (p *Properties) present() uint32 {
	present := p.Present
	set := func(has bool, bit uint32) {
		if has {
			present |= bit
		}
	}
	set(p.ContentType != "", HasContentType)
	set(p.ContentEncoding != "", HasContentEncoding)
	set(p.Headers != nil, HasHeaders)
	set(p.DeliveryMode != 0, HasDeliveryMode)
	set(p.Priority != 0, HasPriority)
	set(p.CorrelationID != "", HasCorrelationID)
	set(p.ReplyTo != "", HasReplyTo)
	set(p.Expiration != "", HasExpiration)
	set(p.MessageID != "", HasMessageID)
	set(!p.Timestamp.IsZero(), HasTimestamp)
	set(p.Type != "", HasType)
	set(p.UserID != "", HasUserID)
	set(p.AppID != "", HasAppID)
	set(p.ClusterID != "", HasClusterID)
	return present
}

// The time that is sent: of the zero Time, which lies before 1970, the epoch.
func (p *Properties) seconds() uint64 {
	if p.Timestamp.IsZero() {
		return 0
	}
	return uint64(p.Timestamp.Unix())
}

func malformed(what string) error {
	return &Error{Status: ErrMalformed, Message: "the message's " + what + " cannot be decoded"}
}

// Those of a message, of whose event the flags are; nil when there are none.
func readProperties(message *C.haigha_message, flags C.uint32_t) *Properties {
	if flags&C.HAIGHA_FLAG_PROPERTIES == 0 {
		return nil
	}
	all := C.hg_message_properties(message)
	if all.status != C.HAIGHA_OK {
		return &Properties{Err: malformed("properties")}
	}
	read := &all.of
	present := uint32(read.present)
	properties := &Properties{
		ContentType:     goString(read.content_type),
		ContentEncoding: goString(read.content_encoding),
		DeliveryMode:    uint8(read.delivery_mode),
		Priority:        uint8(read.priority),
		CorrelationID:   goString(read.correlation_id),
		ReplyTo:         goString(read.reply_to),
		Expiration:      goString(read.expiration),
		MessageID:       goString(read.message_id),
		Type:            goString(read._type),
		UserID:          goString(read.user_id),
		AppID:           goString(read.app_id),
		ClusterID:       goString(read.cluster_id),
		Present:         present,
	}
	if present&HasTimestamp != 0 {
		properties.Timestamp = time.Unix(int64(read.timestamp), 0).UTC()
	}
	if present&HasHeaders != 0 {
		headers, err := readTable(C.hg_level_of_message(message))
		if err == nil {
			properties.Headers = headers
		} else {
			properties.Err = malformed("headers")
		}
	}
	return properties
}
