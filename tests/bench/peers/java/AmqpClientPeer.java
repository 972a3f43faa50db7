import com.rabbitmq.client.AMQP;
import com.rabbitmq.client.Channel;
import com.rabbitmq.client.ConfirmCallback;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Envelope;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.concurrent.CountDownLatch;

/**
 * The benchmark's work with RabbitMQ's Java client.
 *
 * <p>usage: AmqpClientPeer URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE, prints
 * "CPU-US-PER-MESSAGE MESSAGES-PER-SECOND"
 */
final class AmqpClientPeer {
  private static final byte FILLER = 'x';

  private final String work;
  private final int size;
  private final long count;
  private final long warm;
  private final long window;
  private final String queue;
  private long cpuBefore;
  private long wallBefore;
  private long confirmed;

  private AmqpClientPeer(String[] arguments) {
    work = arguments[1];
    size = Integer.parseInt(arguments[2]);
    count = Long.parseLong(arguments[3]);
    warm = Long.parseLong(arguments[4]);
    window = Long.parseLong(arguments[5]);
    queue = arguments[7];
  }

  private static void giveUp(String why) {
    System.err.println("AmqpClientPeer: " + why);
    Runtime.getRuntime().halt(1);
  }

  /** User and system of all threads, in nanoseconds; the platform's bean counts in ticks of 10 ms. */
  private static long cpuTime() {
    long sum = 0;
    try (DirectoryStream<Path> tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (Path task : tasks) {
        try {
          sum += Long.parseLong(Files.readString(task.resolve("schedstat")).split(" ")[0]);
        } catch (NoSuchFileException e) {
          continue; // a thread that has just ended
        }
      }
    } catch (IOException e) {
      giveUp(e.toString());
    }
    return sum;
  }

  /** Measures from message warm + 1 on. */
  private void before(long number) {
    if (number == warm + 1) {
      cpuBefore = cpuTime();
      wallBefore = System.nanoTime();
    }
  }

  private void report() {
    double messages = count - warm;
    double cpu = cpuTime() - cpuBefore;
    double wall = System.nanoTime() - wallBefore;
    System.out.printf(
        Locale.ROOT, "%.6f %.0f%n", cpu / 1e3 / messages, messages / (wall / 1e9));
  }

  private synchronized void onConfirm(long tag, boolean multiple) {
    confirmed = multiple ? tag : confirmed + 1;
    notifyAll();
  }

  private synchronized void awaitConfirmed(long number) throws InterruptedException {
    while (confirmed < number) {
      wait();
    }
  }

  private void publish(Channel channel, boolean confirms) throws Exception {
    if (confirms) {
      ConfirmCallback onNack = (tag, multiple) -> giveUp("no confirm");
      channel.addConfirmListener(this::onConfirm, onNack);
      channel.confirmSelect();
    }
    byte[] body = new byte[size];
    Arrays.fill(body, FILLER);
    ByteBuffer stamp = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
    for (long number = 1; number <= count; ++number) {
      before(number);
      stamp.putLong(0, number).putLong(size - 8, ~number);
      channel.basicPublish("", queue, null, body);
      if (confirms) {
        awaitConfirmed(number - window + 1);
      }
    }
    if (confirms) {
      awaitConfirmed(count);
    }
  }

  private boolean isStamped(byte[] body, long number) {
    ByteBuffer stamp = ByteBuffer.wrap(body).order(ByteOrder.LITTLE_ENDIAN);
    return body.length == size
        && stamp.getLong(0) == number
        && stamp.getLong(size - 8) == ~number
        && (size == 16 || body[size / 2] == FILLER);
  }

  private void consume(Channel channel, boolean acks) throws Exception {
    CountDownLatch done = new CountDownLatch(1);
    DefaultConsumer consumer =
        new DefaultConsumer(channel) {
          private long number;

          @Override
          public void handleDelivery(
              String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
              throws IOException {
            before(++number);
            if (envelope.getDeliveryTag() != number || !isStamped(body, number)) {
              giveUp("a delivery is not what was sent");
            }
            if (acks) {
              getChannel().basicAck(number, false);
            }
            if (number == count) {
              done.countDown();
            }
          }
        };
    channel.basicConsume(queue, !acks, consumer);
    done.await();
  }

  public static void main(String[] arguments) throws Exception {
    if (arguments.length != 8) {
      giveUp("usage: URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE");
    }
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(arguments[0]);
    AmqpClientPeer peer = new AmqpClientPeer(arguments);
    try (Connection connection = factory.newConnection()) {
      Channel channel = connection.createChannel();
      int prefetch = Integer.parseInt(arguments[6]);
      channel.basicQos(prefetch);
      if (peer.work.startsWith("publish")) {
        peer.publish(channel, peer.work.equals("publish+confirm"));
      } else {
        peer.consume(channel, peer.work.equals("consume+ack"));
      }
      // A round trip: what was written is then read.
      channel.basicQos(prefetch);
      peer.report();
    }
  }
}
