package onepack;

import java.util.Arrays;

/**
 * One foundation, two adapters: a network's and a language model's.
 *
 * <pre>java onepack.Main NETWORK MODEL</pre>
 *
 * The folder NETWORK holds foundation.ptd, lora0.pte, lora0.ptd, lora1.pte and lora1.ptd, as
 * tests/data/cases/lora_fp32 does; MODEL foundation.ptd, and a0 and a1 in the same way, as
 * tests/data/cases/llm_8da4w does.
 */
final class Main {
  private Main() {}

  // A row of ones.
  private static float[] runOnce(Onepack.Method method) {
    int columns = method.inputSizes(0)[1];
    float[] ones = new float[columns];
    Arrays.fill(ones, 1);
    method.setInput(0, ones, 1, columns);
    method.execute();
    return method.output(0);
  }

  private static void runNetwork(String folder) {
    try (Onepack.Engine engine = new Onepack.Engine(1);
        Onepack.Data foundation = new Onepack.Data(folder + "/foundation.ptd")) {
      Onepack.Method[] methods = new Onepack.Method[2]; // open, so that their weights are shared
      for (int i = 0; i < methods.length; ++i) {
        String stem = folder + "/lora" + i;
        Onepack.Stats before = engine.stats();
        try (Onepack.Program program = new Onepack.Program(stem + ".pte");
            Onepack.Data adapter = new Onepack.Data(stem + ".ptd")) {
          methods[i] = new Onepack.Method(engine, program, null, foundation, adapter);
        }
        Onepack.Stats after = engine.stats();
        float[] y = runOnce(methods[i]);
        System.out.printf(
            "lora%d: packed %d bytes, took %d bytes in place, found %d bytes there already;"
                + " y = %.6f, %.6f, ...%n",
            i, after.packedBytes - before.packedBytes, after.inPlaceBytes - before.inPlaceBytes,
            after.hitBytes - before.hitBytes, y[0], y[1]);
      }
      for (Onepack.Method method : methods) method.close();
    }
  }

  private static void askModel(String folder) {
    long[] prompt = {1, 17, 42, 99};
    try (Onepack.Engine engine = new Onepack.Engine(1);
        Onepack.Data foundation = new Onepack.Data(folder + "/foundation.ptd");
        Onepack.Adapters adapters = new Onepack.Adapters(engine, foundation)) {
      for (String name : new String[] {"a0", "a1"}) {
        String stem = folder + "/" + name;
        try (Onepack.Program program = new Onepack.Program(stem + ".pte");
            Onepack.Data data = new Onepack.Data(stem + ".ptd")) {
          adapters.add(name, program, data);
        }
      }
      for (String name : new String[] {"a0", "a1"}) {
        System.out.print(name + " answers:");
        long[] tokens =
            adapters.generate(
                name,
                prompt,
                8,
                0,
                token -> {
                  System.out.print(" " + token);
                  return true;
                });
        System.out.println(", " + tokens.length + " tokens");
      }
    }
  }

  // What goes wrong in C, or in a callback, is an exception here.
  private static void showErrors(String model) {
    try (Onepack.Data data = new Onepack.Data(model + "/none.ptd")) {
      throw new AssertionError("opened what is not there: " + data);
    } catch (Onepack.OnepackException error) {
      System.out.println("status " + error.status + ": " + error.getMessage());
    }
    try (Onepack.Engine engine = new Onepack.Engine(1);
        Onepack.Data foundation = new Onepack.Data(model + "/foundation.ptd");
        Onepack.Program program = new Onepack.Program(model + "/base.pte");
        Onepack.Adapters adapters = new Onepack.Adapters(engine, foundation)) {
      adapters.add("base", program);
      adapters.generate(
          "base",
          new long[] {1},
          8,
          0,
          token -> {
            throw new IllegalStateException("thrown at the first token");
          });
      throw new AssertionError("a callback's exception was lost");
    } catch (IllegalStateException error) {
      System.out.println("callback: " + error.getMessage());
    }
  }

  public static void main(String[] arguments) {
    if (arguments.length != 2) {
      System.err.println("usage: java onepack.Main NETWORK MODEL");
      System.exit(2);
    }
    runNetwork(arguments[0]);
    askModel(arguments[1]);
    showErrors(arguments[1]);
    System.out.println("done");
  }
}
