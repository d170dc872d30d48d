using System.Runtime.CompilerServices;
using Unroll.Numerics;

namespace Unroll.Layers;

/// <summary>What a recurrent product multiplies.</summary>
enum ProductOperand
{
    /// <summary>hₜ₋₁, or m⊙hₜ₋₁ under recurrent dropout.</summary>
    PreviousHidden,

    /// <summary>The cell's saved vector of this step (r⊙hₜ₋₁ of a GRU that resets before the product).</summary>
    Saved,
}

/// <summary>Where the backward step leaves the gradient of a recurrent product's result.</summary>
enum ProductGradient
{
    /// <summary>In the gates' own place.</summary>
    Gates,

    /// <summary>In the saved vector's place (r⊙dn of a GRU that resets after the product).</summary>
    Saved,
}

/// <summary>When a cell's forward step saves a vector of H per row.</summary>
enum Saving
{
    /// <summary>It has none.</summary>
    Never,

    /// <summary>Where a pass stays in the caches and keeps its states; elsewhere backward computes it again.</summary>
    IfNear,

    /// <summary>Backward needs it.</summary>
    Always,
}

/// <summary>
/// A part of the forward step: pre-activations of some gates, W_ih·x + b_ih + W_hh·operand + b_hh, then elementwise work.
/// </summary>
/// <param name="FirstGate">The first of its gates.</param>
/// <param name="GateCount">How many.</param>
/// <param name="Operand">What W_hh multiplies.</param>
/// <param name="LastApart">
/// Whether the last gate's two products stay apart, because the cell scales one of them. The cell then finds the blocks
/// in the order: last gate's W_ih·x + b_ih, the other gates, last gate's W_hh·h + b_hh.
/// </param>
readonly record struct ForwardPhase(int FirstGate, int GateCount, ProductOperand Operand, bool LastApart = false);

/// <summary>One product of the backward step, dOperand = W_hh[gates]ᵀ·gradient, and of the weight gradients.</summary>
readonly record struct RecurrentProduct(int FirstGate, int GateCount, ProductOperand Operand, ProductGradient Gradient);

/// <summary>
/// A cell: the elementwise part of one step, forward and backward, over a block of rows and units. The loop over time
/// and the matrix products are <see cref="Recurrent{TCell}"/>'s.
/// </summary>
/// <remarks>
/// A step runs its phases in order, each for a few units at a time: pre-activations, then Forward(step, phase). Going
/// back, it calls Backward(step, p, …) for all units from the last product to the first, each followed by the gradient of
/// product p's operand.
/// </remarks>
interface ICell
{
    /// <summary>G, the blocks of H pre-activations.</summary>
    int GateCount { get; }

    /// <summary>What the forward step leaves in <see cref="CellStep.Gates"/>: the blocks' letters, or none where they hold nothing yet.</summary>
    ReadOnlySpan<string> GateNames { get; }

    /// <summary>P, the blocks of H peephole weights.</summary>
    int PeepholeCount { get; }

    /// <summary>Whether a cell state c is carried beside h.</summary>
    bool HasCellState { get; }

    /// <summary>When forward saves one vector of H per row for backward beyond gates and states.</summary>
    Saving Saves { get; }

    /// <summary>The forward step's parts.</summary>
    ReadOnlySpan<ForwardPhase> Phases { get; }

    /// <summary>The backward step's products.</summary>
    ReadOnlySpan<RecurrentProduct> Products { get; }

    /// <summary>The gate whose gradient the peephole block sees, and whether that gate looks at cₜ rather than cₜ₋₁.</summary>
    (int Gate, bool Current) Peephole(int block);

    void Forward<S, V>(in CellStep step, int phase)
        where S : struct, ISimd<V>
        where V : struct;

    /// <summary>c of a step again, for all units, from its gates and from c before it; nothing in a cell without c.</summary>
    void RecallCell<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
    }

    /// <summary>h of a step again, for all units, from its gates and from c, whose place it may take; nothing in a cell without c.</summary>
    void RecallHidden<S, V>(in CellStep step)
        where S : struct, ISimd<V>
        where V : struct
    {
    }

    /// <summary>
    /// The step back for units [<paramref name="first"/>, <paramref name="end"/>), whole vectors or fewer than one, with N lanes in
    /// each (see <see cref="Lanes{S, V}.Valid"/>).
    /// </summary>
    void Backward<S, V, N>(in CellStep step, int product, int first, int end)
        where S : struct, ISimd<V>
        where V : struct
        where N : struct, IConstant;
}

/// <summary>
/// The arrays of one step for a block of rows and units, each at the first of them. Row strides are G·H for gates and
/// H for all else.
/// </summary>
unsafe struct CellStep
{
    public int Rows { get; set; }

    /// <summary>Units of this call: a few forward, all H backward.</summary>
    public int Units { get; set; }

    /// <summary>Forward, units whose pre-activations lie together: <see cref="Units"/>, or fewer in a single row.</summary>
    public int GroupUnits { get; set; }

    /// <summary>Floats from the pre-activations of one group of units to those of the next.</summary>
    public int GroupStride { get; set; }

    public int H { get; set; }

    /// <summary>
    /// Whether the gates of all steps do not fit the caches, so that it pays to fetch lines ahead: forward those that the next
    /// units will write, backward the next row's.
    /// </summary>
    public bool IsFar { get; set; }

    /// <summary>Whether lines are fetched ahead in a far pass: measured with 16 registers only.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly bool FetchesAhead<S, V>()
        where S : struct, ISimd<V>
        where V : struct => S.Registers == 16 && IsFar;

    /// <summary>Forward only: [rows, groups, blocks, GroupUnits], <see cref="PreActivationRow"/> floats from row to row.</summary>
    public float* PreActivations { get; set; }

    public nint PreActivationRow { get; set; }

    /// <summary>
    /// [rows, G·H]. After forward: the gates' values, unless null, when no backward pass will come. After backward: the
    /// gradients of their pre-activations.
    /// </summary>
    public float* Gates { get; set; }

    public float* HPrev { get; set; }

    /// <summary>hₜ₋₁ as W_hh reads it: m⊙hₜ₋₁ under recurrent dropout, else <see cref="HPrev"/>.</summary>
    public float* HMasked { get; set; }

    public float* H1 { get; set; }

    public float* CPrev { get; set; }

    public float* C1 { get; set; }

    /// <summary>
    /// What the cell keeps: W_hn·h + b_hn, or r⊙h, of a GRU; tanh(c) of an LSTM. Null when neither a later phase nor a
    /// backward pass needs it, or where it is computed again.
    /// </summary>
    public float* Saved { get; set; }

    /// <summary>p [P·H].</summary>
    public float* Peephole { get; set; }

    /// <summary>dY: ∂loss/∂h of this step from the layer above.</summary>
    public float* DY { get; set; }

    /// <summary>
    /// In: ∂loss/∂h from the step after. Out: the part of ∂loss/∂hₜ₋₁ that passes by the products, to which the loop adds.
    /// </summary>
    public float* DH { get; set; }

    /// <summary>∂loss/∂<see cref="HMasked"/>, to be added to: 0 at first under recurrent dropout, else <see cref="DH"/>.</summary>
    public float* DHMasked { get; set; }

    /// <summary>In: ∂loss/∂c from the step after. Out: ∂loss/∂cₜ₋₁.</summary>
    public float* DC { get; set; }

    /// <summary>Where ∂loss/∂c of this step is left for a trace, what comes through h included; null when nobody asks for it.</summary>
    public float* DCTrace { get; set; }

    /// <summary>Backward, where h is left again, which may be c's place; null where it is kept, as where <see cref="Saved"/> is, or in a cell without c.</summary>
    public float* HAgain { get; set; }

    /// <summary>The gradient of the product whose operand was <see cref="Saved"/>.</summary>
    public float* DSaved { get; set; }

    /// <summary>The pre-activations of unit <paramref name="j"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float* PreActivationsOf(int j) =>
        PreActivations + (j < GroupUnits ? j : ((nint)(j / GroupUnits) * GroupStride) + (j % GroupUnits));

    /// <summary>Forward, goes on by so many units; <see cref="PreActivations"/> stay.</summary>
    public void Advance(int units)
    {
        Gates = Gates == null ? null : Gates + units;
        HPrev += units;
        HMasked += units;
        H1 += units;
        CPrev += units;
        C1 += units;
        Saved = Saved == null ? null : Saved + units;
        Peephole += units;
    }
}
