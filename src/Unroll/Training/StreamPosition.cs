using Unroll.Data;
using Unroll.Models;

namespace Unroll.Training;

/// <summary>How far a run has read the streams of its source, and the state in which it has left them.</summary>
sealed class StreamPosition(ISequenceSource source, ModelState state)
{
    /// <summary>The state before the next window, one row for each stream.</summary>
    public ModelState State { get; } = state;

    /// <summary>The first example of the next window.</summary>
    public int Next { get; set; }

    public void Save(CheckpointWriter writer)
    {
        writer.Add("streams", [Next, source.Count]);
        for (var layer = 0; layer < State.LayerCount; layer++)
        {
            writer.Add($"streams.h.{layer}", State.Hidden(layer).ToArray());
            if (!State.Cell(layer).IsEmpty)
                writer.Add($"streams.c.{layer}", State.Cell(layer).ToArray());
        }
    }

    /// <summary>Reads what <see cref="Save"/> wrote, and takes it when the result is called.</summary>
    /// <exception cref="Formats.ModelFileException">It is not there, or of other sizes.</exception>
    public Action Read(CheckpointReader reader)
    {
        var numbers = reader.Numbers("streams", 2);
        var (next, count) = ((int)numbers[0], (int)numbers[1]);
        if (count != source.Count)
            throw reader.Misfit($"the checkpoint is of streams of {count} windows in all, the source has {source.Count}; resume with the same data.");

        var states = new (ReadOnlyMemory<float> Hidden, ReadOnlyMemory<float> Cell)[State.LayerCount];
        for (var layer = 0; layer < states.Length; layer++)
        {
            var cell = State.Cell(layer).Length;
            states[layer] = (
                reader.Floats($"streams.h.{layer}", State.Hidden(layer).Length),
                cell > 0 ? reader.Floats($"streams.c.{layer}", cell) : default);
        }

        return () =>
        {
            Next = next;
            for (var layer = 0; layer < states.Length; layer++)
            {
                states[layer].Hidden.Span.CopyTo(State.Hidden(layer));
                states[layer].Cell.Span.CopyTo(State.Cell(layer));
            }
        };
    }
}
