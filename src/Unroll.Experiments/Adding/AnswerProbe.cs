using Unroll.Data;
using Unroll.Models;
using Unroll.Training;

namespace Unroll.Experiments.Adding;

/// <summary>A model's answers to a few test sequences, and how they depend on each step's input.</summary>
public sealed class AnswerProbe
{
    /// <summary>The sequences looked at.</summary>
    public const int Sequences = 200;

    AnswerProbe(float[] answers, float[] targets, double[] norms, double firstMark, double secondMark, double unmarked)
    {
        (Answers, Targets, Norms, FirstMark, SecondMark, Unmarked) = (answers, targets, norms, firstMark, secondMark, unmarked);
    }

    /// <summary>y [B], the answer to each sequence.</summary>
    public float[] Answers { get; }

    /// <summary>The right answers [B].</summary>
    public float[] Targets { get; }

    /// <summary>
    /// √(mean over the sequences of ‖∂y/∂x_t‖²) by distance in time, d = T − 1 − t: entry 0 is the last step's. Times the
    /// error of the answer it is the norm of the gradient that step t's input receives.
    /// </summary>
    public double[] Norms { get; }

    /// <summary>The norm at the distance T/2: what separates the first mark from the answer at the least.</summary>
    public double Halfway => Norms[Norms.Length / 2];

    /// <summary>The mean of ∂y/∂v at the first mark: 1 where the sum is understood.</summary>
    public double FirstMark { get; }

    /// <summary>The mean of ∂y/∂v at the second mark: 1 where the sum is understood.</summary>
    public double SecondMark { get; }

    /// <summary>√(mean of (∂y/∂v)²) over the unmarked steps: 0 where the sum is understood.</summary>
    public double Unmarked { get; }

    /// <summary>Looks at the first <see cref="Sequences"/> of a test set.</summary>
    public static AnswerProbe Of(SequenceModel model, AddingData test)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(test);
        var (T, B) = (test.MaxSteps, Math.Min(Sequences, test.Count));
        var batch = new SequenceBatch(T, B, test.InputSize, test.TargetSize);
        test.Fill(batch, [.. Enumerable.Range(0, B)]);
        float[] ones = [.. Enumerable.Repeat(1f, B)]; // so that what comes back is ∂y/∂x
        var view = Microscope.Look(model, batch, ones);
        var gradient = view.InputGradient.Span;
        double first = 0, second = 0, unmarked = 0;
        for (var t = 0; t < T; t++)
        {
            for (var b = 0; b < B; b++)
            {
                var at = 2 * ((t * B) + b); // v, m
                double dV = gradient[at];
                if (batch.Inputs[at + 1] == 0)
                    unmarked += dV * dV;
                else if (t < T / 2)
                    first += dV;
                else
                    second += dV;
            }
        }

        return new AnswerProbe(
            view.Output.ToArray(), batch.Targets.ToArray(), [.. view.InputGradientNorms.Reverse().Select(norm => norm / Math.Sqrt(B))], first / B, second / B,
            T == 2 ? 0 : Math.Sqrt(unmarked / (B * (T - 2))));
    }
}
