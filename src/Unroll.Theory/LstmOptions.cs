namespace Unroll.Theory;

/// <summary>Which parts an <see cref="LstmCell"/> has. An absent gate is the constant 1 and has no parameters.</summary>
/// <remarks>
/// The variants in the order of history, each with the part it added:
/// <list type="table">
/// <item><term><see cref="ConstantErrorCarousel"/></term><description>c_t = c_{t−1} + g alone: the error of c goes back unchanged.</description></item>
/// <item><term><see cref="WithoutForgetGate"/></term><description>adds the input and output gates, against the input and output weight conflicts: Hochreiter and Schmidhuber 1997.</description></item>
/// <item><term><see cref="Vanilla"/></term><description>adds the forget gate, so that c can be emptied: Gers, Schmidhuber and Cummins 2000.</description></item>
/// <item><term><see cref="WithPeepholes"/></term><description>lets the gates see c: Gers, Schraudolph and Schmidhuber 2002.</description></item>
/// </list>
/// The early papers use other squashing functions than tanh and truncate the gradient inside the cell; here all variants use tanh and the full gradient.
/// </remarks>
public sealed record LstmOptions
{
    /// <summary>Whether there is an input gate i; without it i = 1.</summary>
    public bool InputGate { get; init; } = true;

    /// <summary>Whether there is a forget gate f; without it f = 1.</summary>
    public bool ForgetGate { get; init; } = true;

    /// <summary>Whether there is an output gate o; without it o = 1.</summary>
    public bool OutputGate { get; init; } = true;

    /// <summary>Whether the gates that are present also see the cell state.</summary>
    public bool Peepholes { get; init; }

    /// <summary>The number of stacked blocks G: the candidate g and the gates that are present, 1 to 4.</summary>
    public int GateCount => 1 + SigmoidGateCount;

    /// <summary>The number of peephole blocks P: the gates that are present, 0 to 3; 0 without peepholes.</summary>
    public int PeepholeCount => Peepholes ? SigmoidGateCount : 0;

    /// <summary>All three gates, no peepholes: the usual LSTM.</summary>
    /// <remarks>Source: F. A. Gers, J. Schmidhuber, F. Cummins, "Learning to Forget: Continual Prediction with LSTM", Neural Computation 12 (2000).</remarks>
    public static LstmOptions Vanilla { get; } = new();

    /// <summary>Input and output gates only, f = 1: the first LSTM.</summary>
    /// <remarks>Source: S. Hochreiter, J. Schmidhuber, "Long Short-Term Memory", Neural Computation 9 (1997).</remarks>
    public static LstmOptions WithoutForgetGate { get; } = new() { ForgetGate = false };

    /// <summary>All three gates and peepholes.</summary>
    /// <remarks>Source: F. A. Gers, N. N. Schraudolph, J. Schmidhuber, "Learning Precise Timing with LSTM Recurrent Networks", JMLR 3 (2002).</remarks>
    public static LstmOptions WithPeepholes { get; } = new() { Peepholes = true };

    /// <summary>No gate at all: the bare constant error carousel.</summary>
    /// <remarks>Source: section 3.2 of Hochreiter and Schmidhuber 1997, where it is the motive for the gates.</remarks>
    public static LstmOptions ConstantErrorCarousel { get; } = new() { InputGate = false, ForgetGate = false, OutputGate = false };

    int SigmoidGateCount => (InputGate ? 1 : 0) + (ForgetGate ? 1 : 0) + (OutputGate ? 1 : 0);
}
