import com.rabbitmq.client.Channel;
import com.rabbitmq.client.Connection;
import com.rabbitmq.client.ConnectionFactory;
import com.rabbitmq.client.DefaultConsumer;
import com.rabbitmq.client.Recoverable;
import com.rabbitmq.client.RecoveryListener;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/**
 * Automatic recovery by RabbitMQ's Java client of queues with a binding and a consumer each.
 *
 * <p>usage: AmqpRecoveryPeer URI COUNT RECOVERIES, prints how many milliseconds declaring them has
 * taken, and then how many each recovery of them takes, from the connection on, for so many.
 */
final class AmqpRecoveryPeer {
  private AmqpRecoveryPeer() {}

  private static void print(long since) {
    System.out.println((System.nanoTime() - since) / 1e6);
    System.out.flush();
  }

  private static final class Timer implements RecoveryListener {
    private final CountDownLatch left;
    private long began;

    Timer(int recoveries) {
      left = new CountDownLatch(recoveries);
    }

    @Override
    public void handleRecoveryStarted(Recoverable recoverable) {}

    @Override
    public void handleTopologyRecoveryStarted(Recoverable recoverable) {
      began = System.nanoTime();
    }

    @Override
    public void handleRecovery(Recoverable recoverable) {
      print(began);
      left.countDown();
    }
  }

  public static void main(String[] arguments) throws Exception {
    int count = Integer.parseInt(arguments[1]);
    ConnectionFactory factory = new ConnectionFactory();
    factory.setUri(arguments[0]);
    factory.setNetworkRecoveryInterval(10);
    factory.setRequestedHeartbeat(60);
    Connection connection = factory.newConnection();
    Timer timer = new Timer(Integer.parseInt(arguments[2]));
    ((Recoverable) connection).addRecoveryListener(timer);
    Channel channel = connection.createChannel();
    long began = System.nanoTime();
    for (int i = 0; i < count; ++i) {
      String name = "recovery-bench-" + i;
      channel.queueDeclare(name, true, false, false, Map.of());
      channel.queueBind(name, "amq.topic", name);
      channel.basicConsume(name, false, new DefaultConsumer(channel));
    }
    print(began);
    timer.left.await();
    connection.abort();
  }
}
