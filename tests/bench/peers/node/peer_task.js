// What the JavaScript drivers have in common: the arguments, the stamp of a message, and the meter.
const filler = "x".charCodeAt(0);
const complement = 0xffffffff;

export function giveUp(why) {
  console.error(`${process.argv[1]}: ${why}`);
  process.exit(1);
}

// One work. Is measured from message `warm` + 1 on.
export class Task {
  constructor(args) {
    if (args.length !== 8) giveUp("usage: URI WORK BYTES COUNT WARM WINDOW PREFETCH QUEUE");
    [this.uri, this.work] = args;
    [this.size, this.count, this.warm, this.window, this.prefetch] = args.slice(2, 7).map(Number);
    this.queue = args[7];
    this.publishes = this.work.startsWith("publish");
    this.confirms = this.work === "publish+confirm";
    this.acks = this.work === "consume+ack";
  }

  before(number) {
    if (number !== this.warm + 1) return;
    this.cpu = process.cpuUsage();
    this.wall = process.hrtime.bigint();
  }

  report() {
    const messages = this.count - this.warm;
    const cpu = process.cpuUsage(this.cpu);
    const seconds = Number(process.hrtime.bigint() - this.wall) / 1e9;
    console.log(
      `${((cpu.user + cpu.system) / messages).toFixed(6)} ${Math.round(messages / seconds)}`,
    );
  }

  // A buffer to be stamped again and again, where the client copies it before it returns.
  blank() {
    return Buffer.alloc(this.size, filler);
  }

  stamp(body, number) {
    const high = Math.floor(number / 2 ** 32);
    const low = number >>> 0;
    body.writeUInt32LE(low, 0);
    body.writeUInt32LE(high, 4);
    body.writeUInt32LE((low ^ complement) >>> 0, this.size - 8);
    body.writeUInt32LE((high ^ complement) >>> 0, this.size - 4);
    return body;
  }

  check(body, tag, number) {
    const high = Math.floor(number / 2 ** 32);
    const low = number >>> 0;
    const view = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    const right =
      tag === number &&
      view.length === this.size &&
      view.readUInt32LE(0) === low &&
      view.readUInt32LE(4) === high &&
      view.readUInt32LE(this.size - 8) === (low ^ complement) >>> 0 &&
      view.readUInt32LE(this.size - 4) === (high ^ complement) >>> 0 &&
      (this.size === 16 || view[this.size >> 1] === filler);
    if (!right) giveUp("a delivery is not what was sent");
  }
}
