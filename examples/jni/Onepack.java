package onepack;

import java.util.Objects;

/**
 * Programs over one weight cache, from Java: include/onepack/c_api.h as classes.
 *
 * <p>What is created is closed, in any order: what is loaded keeps what it needs. Nothing of a
 * closed object can be used (IllegalStateException), and nothing is closed while another thread
 * uses it. Engines, programs, data files and adapters may be used from any thread, a method from
 * one at a time. Every failure is an {@link OnepackException}; a null array is a
 * NullPointerException.
 */
public final class Onepack {
  static {
    System.loadLibrary("onepack_jni");
  }

  private Onepack() {}

  public static final class OnepackException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** ONEPACK_NOT_FOUND and so on. */
    public final int status;

    // Called from onepack_jni.c.
    OnepackException(int status, String message) {
      super(message);
      this.status = status;
    }
  }

  /** One weight cache, the XNNPACK backend over it, operators and threads. */
  public static final class Engine extends Handle {
    public Engine(int threads) {
      super(createEngine(threads));
    }

    public Stats stats() {
      return new Stats(Onepack.stats(get()));
    }

    @Override
    void release(long handle) {
      releaseEngine(handle);
    }
  }

  /** What is in an engine's cache, and what its loads have found there. */
  public static final class Stats {
    public final long entries;
    public final long bytes;
    public final long inPlaceBytes;
    public final long hits;
    public final long hitBytes;
    public final long misses;
    public final long packedBytes;

    Stats(long[] numbers) {
      entries = numbers[0];
      bytes = numbers[1];
      inPlaceBytes = numbers[2];
      hits = numbers[3];
      hitBytes = numbers[4];
      misses = numbers[5];
      packedBytes = numbers[6];
    }
  }

  /** A program (.pte), which is mapped: it must not be changed in place. */
  public static final class Program extends Handle {
    public Program(String path) {
      super(openProgram(path));
    }

    /** A part of a file: of an Android asset, what AssetFileDescriptor says of it. */
    public Program(int descriptor, long offset, long size, String name) {
      super(mapProgram(descriptor, offset, size, name));
    }

    @Override
    void release(long handle) {
      releaseProgram(handle);
    }
  }

  /** A data file (.ptd), mapped in the same way. */
  public static final class Data extends Handle {
    public Data(String path) {
      super(openData(path));
    }

    public Data(int descriptor, long offset, long size, String name) {
      super(mapData(descriptor, offset, size, name));
    }

    @Override
    void release(long handle) {
      releaseData(handle);
    }
  }

  /** A method, ready to run. Tensors of float32; those of other types go the same way. */
  public static final class Method extends Handle {
    /** {@code name} null: "forward". */
    public Method(Engine engine, Program program, String name, Data... data) {
      super(loadMethod(engine.get(), program.get(), name, handlesOf(data)));
    }

    /** The largest sizes that the input may have. */
    public int[] inputSizes(int index) {
      return Onepack.inputSizes(get(), index);
    }

    public void setInput(int index, float[] numbers, int... sizes) {
      Onepack.setInput(
          get(), index, Objects.requireNonNull(numbers), Objects.requireNonNull(sizes));
    }

    public void execute() {
      Onepack.execute(get());
    }

    /** A copy. */
    public float[] output(int index) {
      return Onepack.output(get(), index);
    }

    @Override
    void release(long handle) {
      releaseMethod(handle);
    }
  }

  /** Language models by name, over one foundation. */
  public static final class Adapters extends Handle {
    public Adapters(Engine engine, Data... foundation) {
      super(createAdapters(engine.get(), handlesOf(foundation)));
    }

    public void add(String name, Program program, Data... data) {
      addAdapter(get(), name, program.get(), handlesOf(data));
    }

    public void drop(String name) {
      dropAdapter(get(), name);
    }

    /**
     * The tokens that the adapter answers with; {@code listener}, which may be null, is called with
     * each, in this thread. What it throws ends the answer and comes out of here.
     */
    public long[] generate(
        String name, long[] prompt, int maxNewTokens, float temperature, TokenListener listener) {
      return Onepack.generate(
          get(), name, Objects.requireNonNull(prompt), maxNewTokens, temperature, listener);
    }

    @Override
    void release(long handle) {
      releaseAdapters(handle);
    }
  }

  public interface TokenListener {
    /** False stops. */
    boolean onToken(long token);
  }

  /** A handle of the C interface. */
  abstract static class Handle implements AutoCloseable {
    private long handle;

    Handle(long handle) {
      this.handle = handle;
    }

    long get() {
      if (handle == 0) {
        throw new IllegalStateException(getClass().getSimpleName() + " is closed");
      }
      return handle;
    }

    abstract void release(long handle);

    @Override
    public void close() {
      long closed = handle;
      handle = 0;
      if (closed != 0) release(closed);
    }
  }

  private static long[] handlesOf(Data[] data) {
    long[] handles = new long[data.length];
    for (int i = 0; i < data.length; ++i) handles[i] = data[i].get();
    return handles;
  }

  private static native long createEngine(int threads);

  private static native void releaseEngine(long engine);

  private static native long[] stats(long engine);

  private static native long openProgram(String path);

  private static native long mapProgram(int descriptor, long offset, long size, String name);

  private static native void releaseProgram(long program);

  private static native long openData(String path);

  private static native long mapData(int descriptor, long offset, long size, String name);

  private static native void releaseData(long data);

  private static native long loadMethod(long engine, long program, String name, long[] data);

  private static native void releaseMethod(long method);

  private static native int[] inputSizes(long method, int index);

  private static native void setInput(long method, int index, float[] numbers, int[] sizes);

  private static native void execute(long method);

  private static native float[] output(long method, int index);

  private static native long createAdapters(long engine, long[] foundation);

  private static native void releaseAdapters(long adapters);

  private static native void addAdapter(long adapters, String name, long program, long[] data);

  private static native void dropAdapter(long adapters, String name);

  private static native long[] generate(
      long adapters,
      String name,
      long[] prompt,
      int maxNewTokens,
      float temperature,
      TokenListener listener);
}
