using System.Runtime.InteropServices;
using System.Text;
using Unroll.Benchmarks.Protocol;

namespace Unroll.Benchmarks.Peers;

/// <summary>ONNX models of one recurrent operator with random constant weights, as protobuf bytes.</summary>
static class OnnxModel
{
    const long IrVersion = 8;
    const long Opset = 17;
    const long FloatType = 1;
    const long IntAttributeType = 2;

    /// <summary>Input X, output the last state Yh; when <paramref name="stateful"/>, also inputs h0, c0 and output Yc where the cell has them.</summary>
    public static byte[] Build(Configuration configuration, bool stateful)
    {
        var (b, t, i, h) = configuration.Shape;
        var (operation, gates) = configuration.Cell switch
        {
            "rnn" => ("RNN", 1),
            "gru" => ("GRU", 3),
            _ => ("LSTM", 4),
        };
        var hasCell = operation == "LSTM";
        string[] inputs = !stateful ? ["X", "W", "R", "B"] : hasCell ? ["X", "W", "R", "B", "", "h0", "c0"] : ["X", "W", "R", "B", "", "h0"];
        string[] outputs = stateful && hasCell ? ["", "Yh", "Yc"] : ["", "Yh"];

        var node = new Message();
        foreach (var name in inputs)
            node.Text(1, name);
        foreach (var name in outputs)
            node.Text(2, name);
        node.Text(4, operation).Child(5, IntAttribute("hidden_size", h));
        if (operation == "GRU")
            node.Child(5, IntAttribute("linear_before_reset", 1));

        var random = new Random(1);
        var graph = new Message().Child(1, node).Text(2, "graph")
            .Child(5, Weights("W", random, h, 1, gates * h, i))
            .Child(5, Weights("R", random, h, 1, gates * h, h))
            .Child(5, Weights("B", random, h, 1, 2 * gates * h))
            .Child(11, Value("X", t, b, i));
        foreach (var name in inputs.Where(name => name is "h0" or "c0"))
            graph.Child(11, Value(name, 1, b, h));
        foreach (var name in outputs.Where(name => name.Length > 0))
            graph.Child(12, Value(name, 1, b, h));

        return new Message().Number(1, IrVersion).Child(7, graph).Child(8, new Message().Text(1, "").Number(2, Opset)).ToArray();
    }

    static Message IntAttribute(string name, long value) => new Message().Text(1, name).Number(3, value).Number(20, IntAttributeType);

    static Message Weights(string name, Random random, int hidden, params int[] shape)
    {
        var bound = 1 / MathF.Sqrt(hidden);
        var values = new float[shape.Aggregate(1, (length, size) => length * size)];
        foreach (ref var value in values.AsSpan())
            value = bound * ((2 * random.NextSingle()) - 1);
        var tensor = new Message();
        foreach (var size in shape)
            tensor.Number(1, size);
        return tensor.Number(2, FloatType).Text(8, name).Bytes(9, MemoryMarshal.AsBytes<float>(values));
    }

    static Message Value(string name, params int[] sizes)
    {
        var shape = new Message();
        foreach (var size in sizes)
            shape.Child(1, new Message().Number(1, size));
        return new Message().Text(1, name).Child(2, new Message().Child(1, new Message().Number(1, FloatType).Child(2, shape)));
    }

    /// <summary>A protobuf message: each field a tag, then a varint or a length and bytes.</summary>
    sealed class Message
    {
        readonly List<byte> _bytes = [];

        public Message Number(int field, long value)
        {
            Varint((ulong)field << 3);
            Varint((ulong)value);
            return this;
        }

        public Message Bytes(int field, ReadOnlySpan<byte> value)
        {
            Varint(((ulong)field << 3) | 2);
            Varint((ulong)value.Length);
            _bytes.AddRange(value);
            return this;
        }

        public Message Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

        public Message Child(int field, Message value) => Bytes(field, value.ToArray());

        public byte[] ToArray() => [.. _bytes];

        void Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7)
                _bytes.Add((byte)(value | 0x80));
            _bytes.Add((byte)value);
        }
    }
}
